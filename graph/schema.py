"""The fields of a config (which stages run) and of a profile (which models run them)."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nodes.state import Control


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _bonus() -> Any:
    return Field(default=0.0, ge=0.0, le=1.0, allow_inf_nan=False)


def _with_tuple(value: Any, name: str) -> Any:
    """YAML has lists only; strict models take tuples only."""
    if isinstance(value, dict) and isinstance(value.get(name), list):
        return {**value, name: tuple(value[name])}
    return value


class Retrieval(_Strict):
    """How passages are found."""

    kind: Literal["none", "semantic", "keyword", "hybrid", "oracle", "shuffled"] = "none"
    """`oracle` takes the posts that the dataset names as relevant, `shuffled` what `semantic` finds for
    another question: the best and the worst that retrieval could do."""
    top_k: int = Field(default=5, ge=1, le=100)
    """Passages given to the model."""
    vectors: tuple[Literal["question", "title", "answer"], ...] = ("question",)
    """Fields of a post whose vectors are compared with the question's: `semantic` takes the mean of
    their cosines, `hybrid` weighs them. `question` is title and body together."""
    tag_bonus: float = _bonus()
    """Added to a score of at most 1, times the share of the post's tags that the question names."""
    score_bonus: float = _bonus()
    """Added times log(1 + votes of the answer) / log(101), at most once."""
    accepted_bonus: float = _bonus()
    """Added where the asker accepted the answer."""
    answers_per_question: int = Field(default=1, ge=1, le=100)
    """Passages of one Stack Overflow question at most."""
    drop_near_duplicates: bool = True
    """Of posts with nearly the same text, only the best is taken."""
    diversity: float = Field(default=0.0, ge=0.0, lt=1.0, allow_inf_nan=False)
    """Share of novelty in maximal marginal relevance; 0 takes the best as they are."""
    cross_encoder: str | None = None
    """A sentence-transformers cross-encoder that reorders the best: a repository or a folder."""
    cross_encoder_depth: int = Field(default=50, ge=1, le=1000)
    """How many of the best it reads."""
    store: Literal["local", "postgres"] = "local"
    """Where vectors are searched: on this machine, or on the server of `OPENCODER_POSTGRES`."""

    @model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, value: Any) -> Any:
        return _with_tuple(value, "vectors")

    @model_validator(mode="after")
    def _fields_fit_the_kind(self) -> "Retrieval":
        if not self.vectors or len(set(self.vectors)) < len(self.vectors):
            raise ValueError("vectors must name one field or more, none of them twice")
        if self.diversity and self.kind in ("keyword", "oracle"):
            raise ValueError(
                "diversity compares vectors: retrieval.kind must be semantic or hybrid"
            )
        return self


class Generation(_Strict):
    """How drafts are written."""

    method: Literal["model", "extract"] = "model"
    """`extract` asks no model: the answer of the first passage is the answer, word for word."""
    cot: bool = False
    max_new_tokens: int = Field(default=256, ge=1, le=8192)
    temperature: float = Field(default=0.0, ge=0.0, le=5.0, allow_inf_nan=False)
    """0 is greedy decoding; used where a single draft is written."""


class Rerank(_Strict):
    """Where several drafts are written and the best is chosen."""

    initial: bool = False
    refined: bool = False
    drafts: int = Field(default=2, ge=2, le=16)
    temperature: float = Field(default=0.7, gt=0.0, le=5.0, allow_inf_nan=False)
    method: Literal["pairwise", "consensus", "likelihood"] = "pairwise"
    """The model compares them in pairs, or the one that the others agree with most is taken, or the
    one that the model finds most probable."""
    candidates: tuple[Control, ...] = ()
    """Chosen from beside the drafts: `extract` is the answer of the first passage, `baseline` a draft
    written without passages."""

    @model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, value: Any) -> Any:
        return _with_tuple(value, "candidates")

    @model_validator(mode="after")
    def _candidates_are_reranked(self) -> "Rerank":
        if len(set(self.candidates)) < len(self.candidates):
            raise ValueError("candidates must not name one twice")
        if self.candidates and not (self.initial or self.refined):
            raise ValueError("candidates needs reranking: set initial or refined to true")
        return self

    @model_validator(mode="after")
    def _consensus_needs_three(self) -> "Rerank":
        if self.method == "consensus" and self.drafts + len(self.candidates) < 3:
            raise ValueError(
                "method consensus needs drafts of 3 or more: two agree with each other alike"
            )
        return self


class Critique(_Strict):
    """How the answer is reviewed."""

    max_points: int = Field(default=5, ge=1, le=20)


class Refine(_Strict):
    """How often the answer is rewritten."""

    max_rounds: int = Field(default=1, ge=1, le=10)
    accept: Literal["always", "preferred"] = "always"
    """`preferred` keeps a refinement only if it is chosen over what it was made of in both orders."""


class Config(_Strict):
    """Which stages run. With retrieval kind "none" the graph is generate alone."""

    retrieval: Retrieval = Retrieval()
    generation: Generation = Generation()
    rerank: Rerank = Rerank()
    critique: Critique = Critique()
    refine: Refine = Refine()

    @model_validator(mode="after")
    def _stages_need_retrieval(self) -> "Config":
        rerank = self.rerank.initial or self.rerank.refined
        if self.retrieval.kind == "none" and (self.generation.cot or rerank):
            raise ValueError(
                "chain of thought and reranking need retrieval.kind semantic|keyword|hybrid"
            )
        if self.generation.method == "extract" and self.retrieval.kind == "none":
            raise ValueError("generation.method extract needs passages: set retrieval.kind")
        if self.generation.method == "extract" and (self.generation.cot or rerank):
            raise ValueError(
                "generation.method extract asks no model: it goes with neither chain of thought "
                "nor reranking"
            )
        return self


class ModelSpec(_Strict):
    """One causal language model."""

    model: str
    """A Hugging Face repository, a local folder, or the name of an embedded model."""
    revision: str | None = None
    """A commit of the repository; None takes the newest and records which it was."""
    engine: Literal["huggingface", "embedded"] = "huggingface"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    chat_format: Literal["template", "phi", "plain"] = "template"
    """The tokenizer's own template, phi-2's Instruct/Output, or the text as it is."""
    stop: tuple[str, ...] = ()
    """Generation ends at the first of these strings, which is cut off."""
    repetition_penalty: float = Field(default=1.0, ge=1.0, le=2.0, allow_inf_nan=False)
    """Divides the logits of tokens that were there already (Keskar et al. 2019); 1 is none."""
    window: int | None = Field(default=None, ge=128)
    """Tokens of prompt and reply together; None takes the model's own window."""

    @model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, value: Any) -> Any:
        return _with_tuple(value, "stop")


class EmbedderSpec(_Strict):
    """The sentence encoder of semantic retrieval and of the semantic similarity metric."""

    model: str
    revision: str | None = None
    engine: Literal["huggingface", "embedded"] = "huggingface"
    dtype: Literal["auto", "float32", "bfloat16", "float16", "int8_float32", "int8_bfloat16"] = (
        "float32"
    )
    """The last two multiply in 8 bits, by OpenVINO, and compute the rest as they say."""


class Profile(_Strict):
    """Which models run."""

    generator: ModelSpec
    judge: ModelSpec
    embedder: EmbedderSpec


class Settings(_Strict):
    """A named config and a named profile, resolved."""

    config_name: str
    profile_name: str
    config: Config
    profile: Profile
