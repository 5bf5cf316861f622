"""The fields of a config (which stages run) and of a profile (which models run them)."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from graph.support.home import expand_home
from graph.support.old_specs import upgrade_spec
from graph.support.server_address import check_address

NameOrFolder = Annotated[str, AfterValidator(expand_home)]
"""A name, or a folder whose leading `~` is the home folder."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _bonus() -> Any:
    return Field(default=0.0, ge=0.0, le=1.0, allow_inf_nan=False)


def _with_tuple(value: Any, name: str) -> Any:
    """Turn the list of a field into a tuple: YAML has lists only, strict models take tuples only."""
    if isinstance(value, dict) and isinstance(value.get(name), list):
        return {**value, name: tuple(value[name])}
    return value


class Retrieval(_Strict):
    """The search for passages."""

    kind: Literal["none", "semantic", "keyword", "hybrid", "oracle", "shuffled"] = "none"
    """`oracle` retrieves the posts that the dataset names as relevant, `shuffled` retrieves the passages
    that `semantic` finds for another question: the best and the worst case of retrieval."""
    top_k: int = Field(default=5, ge=1, le=100)
    """The number of passages."""
    vectors: tuple[Literal["question", "title", "answer"], ...] = ("question",)
    """Fields of a post whose vectors are compared with the query's: `semantic` takes the mean of the
    cosines, `hybrid` weights them. `question` is title and body together."""
    scored: tuple[Literal["keyword", "question", "title", "answer"], ...] = ()
    """Further parts of the index, which score each passage without a weight in the ranking: `learned`
    reranking reads the scores."""
    tag_bonus: float = _bonus()
    """Added to the score, which is at most 1: this times the share of the post's tags that the query
    names."""
    score_bonus: float = _bonus()
    """Added to the score: this times min(1, log(1 + votes of the answer) / log(101))."""
    accepted_bonus: float = _bonus()
    """Added to the score if the asker accepted the answer."""
    answers_per_question: int = Field(default=1, ge=1, le=100)
    """The largest number of passages from one Stack Overflow question."""
    drop_near_duplicates: bool = True
    """Of posts with nearly the same text, retrieve only the one with the highest score."""
    diversity: float = Field(default=0.0, ge=0.0, lt=1.0, allow_inf_nan=False)
    """Weight of novelty in maximal marginal relevance (Carbonell and Goldstein 1998); 0 ranks by
    score alone."""
    cross_encoder: NameOrFolder | None = None
    """A sentence-transformers cross-encoder that ranks the best posts again: a repository or a folder."""
    cross_encoder_depth: int = Field(default=50, ge=1, le=1000)
    """The number of best posts that the cross-encoder reads."""
    store: Literal["local", "postgres"] = "local"
    """Where vectors are searched: on this machine, or on the server of `OPENCODER_POSTGRES`."""

    @model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, value: Any) -> Any:
        return _with_tuple(_with_tuple(value, "vectors"), "scored")

    @model_validator(mode="after")
    def _fields_fit_the_kind(self) -> "Retrieval":
        if not self.vectors or len(set(self.vectors)) < len(self.vectors):
            raise ValueError("vectors must name at least one field, and none twice")
        if len(set(self.scored)) < len(self.scored):
            raise ValueError("scored must not name the same part twice")
        if self.scored and self.kind not in ("semantic", "keyword", "hybrid"):
            raise ValueError("scored needs an index: retrieval.kind semantic, keyword or hybrid")
        if self.diversity and self.kind in ("keyword", "oracle"):
            raise ValueError(
                "diversity compares vectors: retrieval.kind must be semantic or hybrid"
            )
        return self


class Generation(_Strict):
    """The writing of drafts."""

    method: Literal["model", "extract", "adapt"] = "model"
    """`extract` calls no model: it copies the answer of the first passage word for word. `adapt` rewrites
    the answer of the passage that learned reranking picks."""
    cot: bool = False
    passages: int | None = Field(default=None, ge=1, le=100)
    """The number of passages in a prompt, the first ones; by default all that were retrieved."""
    closed_book_below: float | None = Field(default=None, gt=0.0, le=1.0, allow_inf_nan=False)
    """Prompts show no passage if the expected score of the best passage's answer is below it."""
    max_new_tokens: int = Field(default=256, ge=1, le=8192)
    temperature: float = Field(default=0.0, ge=0.0, le=5.0, allow_inf_nan=False)
    """Of a single draft; 0 is greedy decoding."""


class Rerank(_Strict):
    """The choice among several drafts, of the first answer (`initial`) or of refinements."""

    initial: bool = False
    refined: bool = False
    drafts: int = Field(default=2, ge=1, le=16)
    """The number of drafts; 1 needs other candidates beside it, and is written without sampling."""
    temperature: float = Field(default=0.7, gt=0.0, le=5.0, allow_inf_nan=False)
    method: Literal["pairwise", "consensus", "likelihood", "learned"] = "pairwise"
    """`pairwise`: the model compares candidates in pairs; `consensus`: the candidate that agrees most
    with the rest; `likelihood`: the candidate with the highest mean log-probability of a token;
    `learned`: the candidate with the highest score of a fitted formula, which asks no model."""
    candidates: tuple[Literal["extract", "passages", "baseline"], ...] = ()
    """Candidates beside the drafts: `extract` is the answer of the first passage, `passages` those of all
    passages, `baseline` a draft written without passages."""
    reranker: NameOrFolder | None = None
    """The file of the formula of `learned`; by default the project's own."""

    @model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, value: Any) -> Any:
        return _with_tuple(value, "candidates")

    @model_validator(mode="after")
    def _candidates_are_reranked(self) -> "Rerank":
        if len(set(self.candidates)) < len(self.candidates):
            raise ValueError("candidates must not name the same candidate twice")
        if self.candidates and not (self.initial or self.refined):
            raise ValueError("candidates needs reranking: set initial or refined to true")
        if {"extract", "passages"} <= {*self.candidates}:
            raise ValueError("candidates: passages holds the answer of extract already")
        return self

    @model_validator(mode="after")
    def _there_is_a_choice(self) -> "Rerank":
        if self.drafts == 1 and not self.candidates:
            raise ValueError("drafts of 1 leaves no choice: set it to 2 or more, or add candidates")
        return self

    @model_validator(mode="after")
    def _consensus_needs_three(self) -> "Rerank":
        is_small = "passages" not in self.candidates and self.drafts + len(self.candidates) < 3
        if self.method == "consensus" and is_small:
            raise ValueError("method consensus needs drafts of 3 or more: two drafts agree equally")
        return self


class Critique(_Strict):
    """The review of an answer."""

    max_points: int = Field(default=5, ge=1, le=20)


class Refine(_Strict):
    """The rewriting of an answer after its critique."""

    max_rounds: int = Field(default=1, ge=1, le=10)
    accept: Literal["always", "preferred"] = "always"
    """`preferred` keeps a refinement only if the model prefers it to the answer before it in both
    orders."""


class Answer(_Strict):
    """The last step of a question."""

    abstain: float | None = Field(default=None, gt=0.0, le=1.0, allow_inf_nan=False)
    """An answer with an expected score below it is replaced by "No answer was found"."""


class Config(_Strict):
    """The stages that run. With `retrieval.kind: none` the graph is `generate` alone."""

    retrieval: Retrieval = Retrieval()
    generation: Generation = Generation()
    rerank: Rerank = Rerank()
    critique: Critique = Critique()
    refine: Refine = Refine()
    answer: Answer = Answer()

    @property
    def scores_candidates(self) -> bool:
        """Whether a node needs the formula of learned reranking."""
        rerank = self.rerank
        is_learned = rerank.method == "learned" and (rerank.initial or rerank.refined)
        return is_learned or self.generation.closed_book_below is not None

    @model_validator(mode="after")
    def _stages_need_retrieval(self) -> "Config":
        rerank = self.rerank.initial or self.rerank.refined
        if self.retrieval.kind == "none" and (self.generation.cot or rerank):
            raise ValueError(
                "chain of thought and reranking need retrieval.kind semantic|keyword|hybrid"
            )
        if self.generation.method == "extract" and self.retrieval.kind == "none":
            raise ValueError("generation.method extract needs passages: set retrieval.kind")
        return self

    @model_validator(mode="after")
    def _passages_are_in_prompts(self) -> "Config":
        limit = self.generation.passages
        if limit is None:
            return self
        if self.retrieval.kind == "none" or self.generation.method == "extract":
            raise ValueError("generation.passages needs passages and a model: leave it out")
        if limit > self.retrieval.top_k:
            raise ValueError("generation.passages is more than retrieval.top_k: leave it out")
        return self

    @model_validator(mode="after")
    def _reranker_scores(self) -> "Config":
        if self.rerank.reranker and not self.scores_candidates:
            raise ValueError(
                "rerank.reranker scores nothing here: set rerank.method to learned, with initial or refined "
                "true, or set generation.closed_book_below"
            )
        return self

    @model_validator(mode="after")
    def _closed_book_needs_a_choice(self) -> "Config":
        generation = self.generation
        has_choice = self.retrieval.kind != "none" and generation.method == "model"
        if generation.closed_book_below is not None and not has_choice:
            raise ValueError(
                "generation.closed_book_below needs passages that a model can do without: set "
                "retrieval.kind, and generation.method to model"
            )
        return self

    @model_validator(mode="after")
    def _abstain_knows_the_expected_score(self) -> "Config":
        if self.answer.abstain is None:
            return self
        rerank = self.rerank
        # A critique without points ends with the first choice. The fit had all passages as candidates.
        is_last = rerank.initial and (self.generation.method == "extract" or rerank.refined)
        is_scored = rerank.method == "learned" and "passages" in rerank.candidates
        if not (is_last and is_scored) or self.refine.accept == "preferred":
            raise ValueError(
                "answer.abstain needs learned reranking as the last choice: set rerank.method to learned, "
                "rerank.candidates to [passages], rerank.initial to true, and for a config that writes "
                "rerank.refined too, with refine.accept always"
            )
        return self

    @model_validator(mode="after")
    def _adapt_picks_first(self) -> "Config":
        if self.generation.method != "adapt":
            return self
        rerank = self.rerank
        if self.retrieval.kind == "none":
            raise ValueError(
                "generation.method adapt rewrites the answer of a passage: set retrieval.kind"
            )
        if self.generation.cot:
            raise ValueError("generation.method adapt writes no notes: turn off chain of thought")
        if not rerank.initial or rerank.method != "learned" or "passages" not in rerank.candidates:
            raise ValueError(
                "generation.method adapt needs the answer that learned reranking picks: set rerank.initial "
                "to true, rerank.method to learned and rerank.candidates to [passages]"
            )
        return self

    @model_validator(mode="after")
    def _extract_calls_no_model(self) -> "Config":
        if self.generation.method != "extract":
            return self
        rerank = self.rerank
        if self.generation.cot or rerank.refined or "baseline" in rerank.candidates:
            raise ValueError(
                "generation.method extract calls no model: turn off chain of thought and the reranking of "
                "refinements, and leave baseline out of rerank.candidates"
            )
        if rerank.initial and rerank.method not in ("consensus", "learned"):
            raise ValueError(
                "generation.method extract calls no model: set rerank.method to learned or consensus"
            )
        if rerank.initial and "passages" not in rerank.candidates:
            raise ValueError(
                "generation.method extract has one answer: set rerank.candidates to [passages] to choose "
                "among those of all passages"
            )
        return self


IN_PROCESS = ("auto", "huggingface", "openvino")
"""Engines that run weights in this process."""
MEMORY_FIELDS = ("quantization", "attention", "device_map")
"""Fields of `ModelSpec` that decide how weights and their computation fit into memory."""
WEIGHT_FIELDS = (
    *("weights", "dtype", "chat_format", "repetition_penalty"),
    *MEMORY_FIELDS,
)
"""Fields of `ModelSpec` for weights in this process: a server decides them itself."""
SERVER_FIELDS = ("base_url", "concurrency", "timeout")
"""Fields of `ModelSpec` for a model that is asked by requests."""


class ModelSpec(_Strict):
    """One language model."""

    model: NameOrFolder
    """For `huggingface` a repository, a local folder, or the name of a model in a package. For
    `openai` the server's name of the model, or `auto` for the only one that it has. For `langchain`
    what `init_chat_model` takes, as `ollama:qwen2.5-coder:7b`."""
    weights: Literal["hub", "package"] = "hub"
    """Source of the weights: `hub` is a Hugging Face repository or a local folder, `package` an
    installed Python package."""
    revision: str | None = None
    """A commit of the repository; None loads the newest and records its commit. For a model of a
    server, a label of your own that tells it from another one with the same name."""
    engine: Literal["auto", "huggingface", "openvino", "openai", "langchain"] = "huggingface"
    """What runs the model, a key of `graph.models.engines.ENGINES`: `huggingface` (transformers) and
    `openvino` (on a CPU) run weights in this process, `openai` asks a server with OpenAI's interface,
    `langchain` any chat model of LangChain. `auto` is `openvino` for a packaged model on an x86-64
    processor, else `huggingface`."""
    base_url: str | None = None
    """The address of the server, as http://127.0.0.1:8000/v1; None is the client's own."""
    concurrency: int = Field(default=8, ge=1, le=1024)
    """The largest number of requests that run at the same time."""
    timeout: float = Field(default=300.0, gt=0.0, le=86_400.0, allow_inf_nan=False)
    """The longest wait for the reply to one request, in seconds."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    quantization: Literal["none", "int8", "nf4"] = "none"
    """The weights of linear layers in 8 or 4 bits, by bitsandbytes: `int8` is LLM.int8() (Dettmers et
    al. 2022), `nf4` the 4-bit NormalFloat of QLoRA (Dettmers et al. 2023) with double quantization."""
    attention: Literal["auto", "eager", "sdpa", "flash_attention_2"] = "auto"
    """The implementation of attention in transformers; `auto` leaves it to transformers."""
    device_map: Literal["auto", "sequential", "single"] = "auto"
    """The place of the weights where there is a GPU: `auto` spreads them evenly over all GPUs,
    `sequential` fills one after the other, and both put the rest into the memory of the machine, which is
    slow. `single` puts all on the first GPU, or fails."""
    chat_format: Literal["template", "phi", "plain"] = "template"
    """The tokenizer's own template, phi-2's Instruct/Output, or the text as it is."""
    stop: tuple[str, ...] = ()
    """Generation ends at the first of these strings, which is cut off."""
    repetition_penalty: float = Field(default=1.0, ge=1.0, le=2.0, allow_inf_nan=False)
    """Divides the logits of tokens that occurred before (Keskar et al. 2019); 1 is none."""
    window: int | None = Field(default=None, ge=128)
    """Tokens of prompt and reply together; None takes the model's own window."""

    @model_validator(mode="before")
    @classmethod
    def _fields_of_today(cls, value: Any) -> Any:
        return _with_tuple(upgrade_spec(value) if isinstance(value, dict) else value, "stop")

    @field_validator("base_url")
    @classmethod
    def _is_an_address_without_secrets(cls, value: str | None) -> str | None:
        if value is not None:
            check_address(value)
        return value

    @model_validator(mode="after")
    def _fields_fit_the_engine(self) -> "ModelSpec":
        in_process = self.engine in IN_PROCESS
        foreign: tuple[str, ...] = SERVER_FIELDS if in_process else WEIGHT_FIELDS
        if self.engine == "openvino":
            foreign = (*SERVER_FIELDS, *MEMORY_FIELDS)
        for name in foreign:
            if getattr(self, name) != type(self).model_fields[name].default:
                owner = "other engines" if name in SERVER_FIELDS else "engine huggingface"
                raise ValueError(
                    f"{name} belongs to {owner}: leave it out, or change engine (here {self.engine})"
                )
        return self


class EmbedderSpec(_Strict):
    """The sentence encoder of semantic retrieval and of the semantic similarity metric."""

    model: NameOrFolder
    weights: Literal["hub", "package"] = "hub"
    """As in `ModelSpec`."""
    revision: str | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16", "int8_float32", "int8_bfloat16"] = (
        "float32"
    )
    """`int8_*` multiply in 8 bits, by OpenVINO, and compute the rest in the precision they name."""

    @model_validator(mode="before")
    @classmethod
    def _fields_of_today(cls, value: Any) -> Any:
        return upgrade_spec(value, embedder=True) if isinstance(value, dict) else value


class Profile(_Strict):
    """The models that run a config."""

    generator: ModelSpec
    judge: ModelSpec
    embedder: EmbedderSpec


class Settings(_Strict):
    """A config and a profile with their names."""

    config_name: str
    profile_name: str
    config: Config
    profile: Profile
