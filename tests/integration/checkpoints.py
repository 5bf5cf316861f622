"""Tiny checkpoints with the architectures of phi-2 and Qwen1.5-7B-Chat, built in a second."""

from pathlib import Path

RUN_ON = "Use sorted(values).\nInstruct: Now explain tuples.\nOutput: A tuple is fixed."
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_tokenizer(folder: Path, specials: list[str], end: str, template: str | None):
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    trained = ByteLevelBPETokenizer()
    texts = [RUN_ON, "How do I sort a list? Which answer is better, A or B? 0 1 2 3 4"] * 20
    trained.train_from_iterator(texts, vocab_size=400, min_frequency=2, special_tokens=specials)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=trained._tokenizer, eos_token=end)
    tokenizer.add_special_tokens({"additional_special_tokens": specials})
    if template:
        tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return tokenizer


def make_phi(folder: Path, *, taught: str | None = None) -> Path:
    """Save a random Phi; `taught` is a text that it then writes after every prompt's end."""
    import torch
    from transformers import PhiConfig, PhiForCausalLM

    torch.manual_seed(0)
    tokenizer = make_tokenizer(folder, ["<|endoftext|>"], "<|endoftext|>", None)
    model = PhiForCausalLM(
        PhiConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=512,
            bos_token_id=0,
            eos_token_id=0,
        )
    )
    if taught:
        _teach(model, tokenizer, taught)
    model.save_pretrained(folder)
    return folder


def make_qwen2(folder: Path) -> Path:
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = make_tokenizer(folder, specials, "<|im_end|>", CHAT_TEMPLATE)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=2048,
            bos_token_id=0,
            eos_token_id=2,
        )
    )
    model.save_pretrained(folder)
    return folder


def _teach(model, tokenizer, text: str) -> None:
    """Overfit until the model continues `Output:` with the text, whatever came before."""
    import torch

    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    answer = tokenizer.encode(" " + text)
    generator = torch.Generator().manual_seed(0)
    model.train()
    for _ in range(250):
        noise = torch.randint(3, len(tokenizer), (8, 24), generator=generator)
        start = torch.tensor([tokenizer.encode("\nOutput:")] * 8)
        tail = torch.tensor([answer] * 8)
        ids = torch.cat([noise, start, tail], dim=1)
        labels = ids.clone()
        labels[:, : noise.shape[1] + start.shape[1]] = -100
        loss = model(input_ids=ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
