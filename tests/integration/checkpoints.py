"""Tiny checkpoints of random weights, built in a second: phi-2, Qwen1.5-7B-Chat and BERT."""

from pathlib import Path

from tests.fakes.corpora import SUBJECTS

RUN_ON = "Use sorted(values).\nInstruct: Now explain tuples.\nOutput: A tuple is fixed."
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_SIZES = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}


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
            **_SIZES,
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
            **_SIZES,
            num_key_value_heads=2,
            max_position_embeddings=2048,
            bos_token_id=0,
            eos_token_id=2,
        )
    )
    model.save_pretrained(folder)
    return folder


def make_bert(folder: Path, architecture: str, **changes):
    """Save a random BERT that knows the words of the small corpus.

    Args:
        folder: The folder of model and tokenizer.
        architecture: The name of its class in transformers, such as BertModel.
        changes: Further fields of its configuration.
    """
    import torch
    import transformers

    torch.manual_seed(0)
    tokenizer = make_word_tokenizer()
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        **_SIZES,
        max_position_embeddings=tokenizer.model_max_length,
        initializer_range=0.5,
        **changes,
    )
    getattr(transformers, architecture)(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    assert (folder / "model.safetensors").is_file()


def make_word_tokenizer():
    """Return a tokenizer of texts and pairs of texts, with a token for each word of the small corpus."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = sorted({word for subject in SUBJECTS for word in subject.split()})
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "query", "passage", "instruct", ":", *words]
    vocabulary = {name: number for number, name in enumerate(names)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=64,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


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
