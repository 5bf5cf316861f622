"""A model that OpenVINO GenAI runs on a CPU: prompts are read once, replies are written together.

Its pipeline keeps what it has read (prefix cache) and adds a token to every unfinished reply in each
step (continuous batching). It gives the log-probability of chosen tokens alone, so that given texts
are scored by the same graph without the pipeline.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from graph.models import packaged
from graph.models.gguf_conversion import import_genai
from graph.models.loaded_model import (
    LoadedModel,
    check_chat_template,
    control_tokens,
    end_tokens,
)
from graph.models.machine_defaults import resolve_model_dtype
from graph.models.quiet_loading import import_openvino, quiet_loading
from graph.models.text_stream import Show, settled
from graph.models.verdict import ScoredToken
from graph.schema import ModelSpec
from graph.support.errors import ConfigError
from graph.support.logger import log
from graph.support.stopping import check_stop
from graph.support.text import one_line

GRAPH = "openvino_model.xml"
_DEFAULT_WINDOW = 2048
_HINTS = {"bfloat16": "bf16", "float16": "f16", "float32": "f32"}
_TOKENS_A_STEP = 1024
"""Tokens of prompts that one step reads at most: it holds their activations in memory."""
BLOCK_TOKENS = 32
"""Tokens of a block in the prefix cache of OpenVINO GenAI on a CPU."""
FILLER_TOKENS = 4 * BLOCK_TOKENS
"""Tokens of the filler that is read behind prompts. OpenVINO multiplies matrices of up to about 80
tokens by other kernels than larger ones, and rounds otherwise there."""
_CACHE_BYTES = 4 * 10**9
"""The largest prefix cache. One that is too small for a batch costs time."""
_SPARE_BLOCKS = 64
"""Blocks for the filler, and for the last block of each row of options."""
_SCORED_AT_ONCE = 256
"""Tokens that are scored together: 50 MB of logits for a vocabulary of 50,000."""


class Request(NamedTuple):
    """A prompt to continue."""

    tokens: list[int]
    seed: int = 0
    """The seed of sampling, if the temperature is above 0."""
    show: Show | None = None
    """Takes the text so far after each token."""


class _Output(NamedTuple):
    """What the pipeline has generated for a request so far."""

    tokens: list[int]
    logprobs: list[float]
    """Of each token; 0 where they were not asked for."""

    def add(self, part: Any) -> None:
        """Add what a step generated."""
        self.tokens.extend(part.generated_ids)
        self.logprobs.extend(part.generated_log_probs)


@dataclass(frozen=True)
class OpenVINOModel(LoadedModel):
    """A model in memory, and the pipeline that runs it."""

    folder: Path
    stop_tokens: frozenset[int]
    properties: dict[str, Any] = field(hash=False)
    """OpenVINO's settings of the processor."""
    pipeline: Any

    @property
    def identity(self) -> dict[str, object]:
        """The commit, the precision, and the versions of OpenVINO and its pipeline."""
        return {
            "commit": self.commit,
            "properties": {name: str(value) for name, value in sorted(self.properties.items())},
            **{name: version(name) for name in ("openvino", "openvino-genai")},
        }

    @property
    def commit(self) -> str | None:
        """The commit of a hub's repository: the name of its folder in the hub's cache."""
        return self.folder.name if self.folder.parent.name == "snapshots" else None

    def write(
        self, requests: Sequence[Request], *, max_new_tokens: int, temperature: float
    ) -> list[tuple[str, int]]:
        """Return the new text of each prompt and its number of new tokens, the end token included."""
        self._read(requests)
        configs = []
        for request in requests:
            config = self._config(max_new_tokens)
            config.repetition_penalty = self.spec.repetition_penalty
            config.stop_token_ids = set(self.stop_tokens)
            config.stop_strings = set(self.spec.stop)
            # The text is cut at the first stop string here, as with every engine.
            config.include_stop_str_in_output = True
            if temperature > 0:
                config.do_sample, config.temperature = True, temperature
                config.top_p, config.rng_seed = 1.0, request.seed
            configs.append(config)
        outputs = self._run(requests, configs)
        return [(self.decode(output.tokens), len(output.tokens)) for output in outputs]

    def next_token_logprobs(
        self, prompts: Sequence[list[int]], options: Sequence[tuple[str, int]]
    ) -> list[list[float]] | None:
        """Return the log-probability of each option as the next token of each prompt.

        Args:
            prompts: Token ids.
            options: The text of each option and its token.

        Returns:
            Shape (prompts, options); None if the pipeline writes an option by other tokens.
        """
        requests = [Request(prompt) for prompt in prompts]
        self._read(requests)
        rows, configs = [], []
        for request in requests:
            for text, _ in options:
                # Two tokens, the option and the end: after one token, the cache would hold the last
                # block as it is with the prompt alone, and the same prompt would go on from it.
                config = self._config(2)
                config.logprobs = 1
                # The pipeline gives the log-probability of the chosen token alone, computed before a
                # grammar limits the choice. So each option is chosen once.
                config.structured_output_config = import_genai().StructuredOutputConfig(
                    regex=re.escape(text)
                )
                rows.append(request)
                configs.append(config)
        outputs = self._run(rows, configs)
        values = iter(outputs)
        logprobs = []
        for _ in prompts:
            chosen = [(next(values), token) for _, token in options]
            if any(output.tokens[:1] != [token] for output, token in chosen):
                return None
            logprobs.append([output.logprobs[0] for output, _ in chosen])
        return logprobs

    def token_logprobs(
        self, rows: Sequence[tuple[int, ...]], tokens: Sequence[ScoredToken]
    ) -> list[float]:
        """Read rows of token ids, one after the other; return the log-probability of each token."""
        values: dict[int, float] = {}
        for number, row in enumerate(rows):
            wanted = [(i, token) for i, token in enumerate(tokens) if token.row == number]
            self._scorer.reset_state()
            for start in range(0, len(row), _SCORED_AT_ONCE):
                check_stop()
                logits = self._logits(row, start, min(start + _SCORED_AT_ONCE, len(row)))
                for index, token in wanted:
                    position = token.position - 1 - start
                    if 0 <= position < len(logits):
                        values[index] = _log_softmax(logits[position], token.token)
        return [values[index] for index in range(len(tokens))]

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of new tokens, without their end, cut before the first stop string."""
        end = next((i for i, token in enumerate(tokens) if token in self.stop_tokens), len(tokens))
        text = str(self.tokenizer.decode(list(tokens[:end]), skip_special_tokens=True))
        cuts = [text.find(mark) for mark in self.spec.stop if mark in text]
        return text[: min(cuts)] if cuts else text

    def _read(self, requests: Sequence[Request]) -> None:
        """Read the whole blocks of prompts into the prefix cache.

        The numbers of a reply depend in their last bits on the tokens that are read together. All
        replies start from the same state, whether their prompts were in the cache or not, since

        - no step that reads prompts is a small one: a filler is read after them,
        - no token is read twice: a mark follows each prompt, which the cache does not hold, so that
          the pipeline does not read the last token of a known prompt again,
        - the cache has room for more than these prompts: none is dropped before its reply.

        The rest of a prompt, less than a block, is read with its reply. An exception is left: a prompt
        of whole blocks alone has its last token read again, and a longer prompt that begins with all
        of it then starts from that token. No step of the graph continues the prompt of another one.
        """
        ends = [len(row.tokens) // BLOCK_TOKENS * BLOCK_TOKENS for row in requests]
        blocks = {tuple(row.tokens[:end]) for row, end in zip(requests, ends, strict=True) if end}
        if blocks:
            prompts = [Request([*tokens, *self._mark()]) for tokens in sorted(blocks)]
            prompts.append(Request([*self._mark(), *[0] * FILLER_TOKENS]))
            self._run(prompts, [self._config(1)] * len(prompts))

    def _mark(self) -> list[int]:
        """Return the tokens of the next mark: a number with three digits in the base of the vocabulary."""
        number, base = next(self._marks), len(self.tokenizer)
        return [number // base**place % base for place in range(3)]

    def _config(self, max_new_tokens: int) -> Any:
        config = import_genai().GenerationConfig()
        config.max_new_tokens = max_new_tokens
        config.apply_chat_template = False
        return config

    def _run(self, requests: Sequence[Request], configs: Sequence[Any]) -> list[_Output]:
        """Run requests together; return what the pipeline generated for each."""
        openvino, pipeline = import_openvino(), self.pipeline
        handles: list[Any] = []
        outputs = [_Output([], []) for _ in requests]
        try:
            for number, (request, config) in enumerate(zip(requests, configs, strict=True)):
                tokens = openvino.Tensor(np.array([request.tokens]))
                handles.append(pipeline.add_request(number, tokens, config))
            while pipeline.has_non_finished_requests():
                # A signal is handled between two steps.
                check_stop()
                pipeline.step()
                for request, handle, output in zip(requests, handles, outputs, strict=True):
                    if handle.can_read():
                        output.add(handle.read()[0])
                        if request.show:
                            request.show(settled(self.decode(output.tokens), self.spec.stop))
        except BaseException:
            for handle in handles:
                handle.cancel()
            raise
        return outputs

    @cached_property
    def _marks(self) -> Iterator[int]:
        return count(1)

    @cached_property
    def _scorer(self) -> Any:
        """A run of the graph without the pipeline; its state is what it has read."""
        core = import_openvino().Core()
        path = str(self.folder / GRAPH)
        return core.compile_model(path, "CPU", self.properties).create_infer_request()

    def _logits(self, row: tuple[int, ...], start: int, end: int) -> Any:
        """Read the tokens from `start` to `end` after those before; return shape (tokens, vocabulary)."""
        self._scorer.infer(
            {
                "input_ids": np.array([row[start:end]]),
                "attention_mask": np.ones((1, end), dtype=np.int64),
                "position_ids": np.arange(start, end)[None],
                "beam_idx": np.zeros(1, dtype=np.int32),
            }
        )
        return self._scorer.get_output_tensor().data[0]


def _log_softmax(logits: Any, token: int) -> float:
    shifted = logits.astype(np.float64) - logits.max()
    return float(shifted[token] - np.log(np.exp(shifted).sum()))


def load_openvino_model(spec: ModelSpec, rows: int) -> OpenVINOModel:
    """Load a packaged model, or a folder or repository in OpenVINO's format.

    Args:
        spec: The model.
        rows: The prompts that run together at most. The prefix cache has room for twice as many.

    Raises:
        ConfigError: There is no such model, or it is not in OpenVINO's format.
        MissingExtraError: OpenVINO GenAI or the package of the weights is not installed.
    """
    genai = import_genai()
    log.info("loading the model %r", spec.model)
    folder = _folder(spec)
    with quiet_loading(f"the model {spec.model!r}"):
        import torch
        from transformers import AutoConfig, AutoTokenizer, GenerationConfig

        config = AutoConfig.from_pretrained(folder)
        has_generation = (folder / "generation_config.json").is_file()
        generation = GenerationConfig.from_pretrained(folder) if has_generation else config
        tokenizer = AutoTokenizer.from_pretrained(folder)
    check_chat_template(spec, tokenizer)
    threads = torch.get_num_threads()
    hint = _HINTS[resolve_model_dtype(spec)]
    # The pipeline divides the threads among several streams by default, and uses one of the streams.
    properties = {
        "INFERENCE_PRECISION_HINT": hint,
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
    }
    own = getattr(config, "max_position_embeddings", None) or _DEFAULT_WINDOW
    window = min(spec.window or own, own)
    scheduler = genai.SchedulerConfig()
    scheduler.enable_prefix_caching = True
    scheduler.num_kv_blocks = _cache_blocks(config, 2 * rows * window)
    scheduler.max_num_batched_tokens = _TOKENS_A_STEP
    # Keys and values of 8 bits, the default, make the text depend on the prompts of its batch.
    of_pipeline = {**properties, "KV_CACHE_PRECISION": "f16", "sampler_num_threads": 1}
    try:
        pipeline = genai.ContinuousBatchingPipeline(str(folder), scheduler, "CPU", of_pipeline, {})
    # OpenVINO's own errors have no common base but Exception.
    except Exception as error:
        raise ConfigError(
            f"OpenVINO cannot run the model {spec.model!r}: {one_line(error)}"
        ) from None
    stop_tokens = end_tokens(getattr(generation, "eos_token_id", None), tokenizer)
    return OpenVINOModel(
        *(spec, tokenizer, window, control_tokens(tokenizer)),
        *(folder, stop_tokens, properties, pipeline),
    )


def _folder(spec: ModelSpec) -> Path:
    if spec.weights == "package":
        return packaged.model_folder(spec.model, "openvino")
    folder = Path(spec.model)
    if not folder.is_dir():
        with quiet_loading(f"the model {spec.model!r}"):
            from huggingface_hub import snapshot_download

            folder = Path(snapshot_download(spec.model, revision=spec.revision))
    if not (folder / GRAPH).is_file():
        raise ConfigError(
            f"{spec.model!r} is not in OpenVINO's format: it has no {GRAPH}. Take a repository of "
            "OpenVINO's, convert the model by optimum-cli export openvino, or set engine=huggingface"
        )
    return folder


def _cache_blocks(config: Any, tokens: int) -> int:
    """Return the number of blocks that hold keys and values of so many tokens, in at most 4 GB."""
    heads = config.num_attention_heads
    head_size = getattr(config, "head_dim", None) or config.hidden_size // heads
    key_heads = getattr(config, "num_key_value_heads", None) or heads
    # Keys and values, in 16 bits.
    block_bytes: int = 2 * 2 * config.num_hidden_layers * key_heads * head_size * BLOCK_TOKENS
    return min(tokens // BLOCK_TOKENS + _SPARE_BLOCKS, _CACHE_BYTES // block_bytes)
