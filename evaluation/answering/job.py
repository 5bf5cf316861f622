"""The job of one run: resolved from the command line before anything is loaded or written."""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from dataset import default_dataset
from evaluation.answering import flags
from evaluation.answering.prompt_estimate import estimate_prompt_tokens, passage_tokens
from evaluation.answering.questions import Item, batches, load_items, question_digests
from evaluation.answering.run_identity import Choices, folder_name, identity_of
from evaluation.metrics.calibrated_judge import (
    CALIBRATED_OPTION,
    SHIPPED,
    StoredJudge,
    load_judge,
)
from evaluation.store.identity import digest
from evaluation.store.journal import RunKey
from graph.call_plan import texts_per_question
from graph.config import load_settings
from graph.models.engines import describe
from graph.models.engines.token_usage import ESTIMATE_SCALE
from graph.retrieval.corpus import default_corpus
from graph.schema import IN_PROCESS, Config, EmbedderSpec, ModelSpec, Settings
from graph.support.errors import ConfigError
from graph.support.logger import log
from graph.support.terminal import safe_line

_SHORTEST_PROMPT = 128
"""Tokens of a prompt with a short question and its instruction."""


@dataclass(frozen=True)
class Job:
    """One run, with all its choices resolved."""

    choices: Choices
    items: list[Item]
    identity: dict[str, object]
    folder: Path
    index: Path | None
    """The folder of the index; None for the cache folder."""

    @property
    def key(self) -> RunKey:
        """The values that bind the records of the run to it."""
        size = self.choices.batch_size
        return RunKey(digest(self.identity), question_digests(self.items), size)


def resolve_job(arguments: argparse.Namespace, selected: flags.SelectedConfig) -> Job:
    """Read and check everything that a run depends on; load no weights.

    Raises:
        ConfigError: The flags, the config or the profile are invalid.
        DatasetError: The dataset, the corpus or the calibrated judge cannot be read.
    """
    overrides = [*selected.overrides, *arguments.set]
    settings = load_settings(selected.name, arguments.profile, overrides)
    if arguments.profile == "auto":
        log.info("profile auto: %s", settings.profile_name)
    judged, calibrated = _judge(arguments)
    dataset = arguments.dataset or default_dataset()
    corpus = _corpus(settings.config, arguments.corpus)
    log.info("dataset: %s%s", dataset, f", corpus: {corpus}" if corpus else "")
    items = load_items(dataset, arguments.limit)
    choices = Choices(
        settings=settings,
        corpus=corpus,
        dataset=dataset,
        limit=arguments.limit,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        judged=judged,
        keep_leaks=arguments.keep_leaks,
        calibrated=calibrated,
        has_criteria=any(item.criteria for item in items),
    )
    _check_windows(settings, judged=judged)
    _warn_of_unpinned(settings, judged=choices.judged)
    identity = json.loads(json.dumps(identity_of(choices)))
    folder = arguments.runs / folder_name(settings, dataset, digest(identity))
    return Job(choices, items, identity, folder, arguments.index)


def _judge(arguments: argparse.Namespace) -> tuple[bool, StoredJudge | None]:
    """Return True if the profile's judge grades, and the calibrated judge if one was chosen."""
    if arguments.no_judge and arguments.judge not in (None, "none"):
        raise ConfigError(f"give --no-judge or --judge {arguments.judge}, not both")
    name = "none" if arguments.no_judge else arguments.judge or "model"
    if name in ("model", "none"):
        return name == "model", None
    if name != CALIBRATED_OPTION and not name.endswith(".json"):
        raise ConfigError(
            f"--judge {name!r} is unknown: give model, {CALIBRATED_OPTION}, none or the .json file "
            "of a calibrated judge"
        )
    stored = load_judge(SHIPPED if name == CALIBRATED_OPTION else Path(name))
    return stored.calibrated.needs_judge, stored


def _check_windows(settings: Settings, *, judged: bool) -> None:
    """Check that the windows of servers hold a short prompt and a reply.

    Raises:
        ConfigError: One does not, or a server cannot be used.
    """
    least = {"generator": _SHORTEST_PROMPT + settings.config.generation.max_new_tokens}
    if judged:
        least["judge"] = _SHORTEST_PROMPT
    for name, tokens in least.items():
        served = describe(getattr(settings.profile, name))
        if served is not None and served.window < tokens:
            raise ConfigError(
                f"{name}: the window of {served.window} tokens is too small: prompt and reply need at "
                f"least {tokens}; start the server with a larger one, raise {name}.window or lower "
                "generation.max_new_tokens"
            )


def _warn_of_unpinned(settings: Settings, *, judged: bool) -> None:
    profile = settings.profile
    specs: dict[str, ModelSpec | EmbedderSpec] = {
        "generator": profile.generator,
        "embedder": profile.embedder,
    }
    if judged:
        specs["judge"] = profile.judge
    for name, spec in specs.items():
        # A local folder has no revisions, and a server says itself which model it has.
        in_process = isinstance(spec, EmbedderSpec) or spec.engine in IN_PROCESS
        on_hub = in_process and spec.weights == "hub" and not Path(spec.model).exists()
        if on_hub and spec.revision is None:
            log.warning(
                "%s: the newest revision of %s is taken; for numbers to publish, pin one with "
                "--set %s.revision=COMMIT",
                name,
                spec.model,
                name,
            )


def _corpus(config: Config, path: Path | None) -> Path | None:
    if config.retrieval.kind == "none":
        if path is not None:
            log.info("this config retrieves nothing: --corpus is not used")
        return None
    return path or default_corpus()


def description(job: Job) -> str:
    """Return the text that --dry-run prints: config, identity and cost."""
    settings = job.choices.settings
    resolved = {
        "config": settings.config.model_dump(mode="json"),
        "profile": settings.profile.model_dump(mode="json"),
    }
    config = settings.config
    texts = texts_per_question(config)
    length = config.generation.max_new_tokens
    return (
        f"# {settings.config_name}, profile {settings.profile_name}\n"
        + yaml.safe_dump(resolved, sort_keys=False)
        + f"questions: {len(job.items)}\n"
        + f"batches: {len(batches(job.items, job.choices.batch_size))}\n"
        + f"texts to generate: {texts * len(job.items)} at most, each of up to {length} tokens\n"
        + _prompt_tokens(job)
        + f"verdicts: {len(job.items) if job.choices.judged else 0} of the judge\n"
        + f"folder: {safe_line(str(job.folder))}\n"
        + f"identity: {digest(job.identity)}\n"
    )


def _prompt_tokens(job: Job) -> str:
    settings, corpus = job.choices.settings, job.choices.corpus
    if not texts_per_question(settings.config):
        return ""
    spec = settings.profile.generator
    served = describe(spec)
    tokens = estimate_prompt_tokens(
        settings.config,
        [item.question for item in job.items],
        passage_tokens(corpus) if corpus else 0,
        served.window if served else spec.window,
        ESTIMATE_SCALE if served else 1.0,
    )
    return (
        f"prompt tokens to read: {tokens.whole} if each prompt is read whole, {tokens.shared} if the "
        "context of a question is read once (estimates)\n"
    )
