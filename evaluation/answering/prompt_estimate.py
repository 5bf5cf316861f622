"""The prompt tokens that a run will read, estimated before it: by the planned calls and text lengths."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from graph.call_plan import planned_calls, reserves
from graph.models.engines.token_usage import estimate_tokens
from graph.retrieval.corpus import read_corpus
from graph.schema import Config
from prompts.context import CONTEXT, QUESTION, heading, outline
from prompts.generate_prompts import ANSWER_ALONE

_POSTS = 200
"""The posts at the start of a corpus whose mean length is that of a passage."""


class PromptTokens(NamedTuple):
    """Estimated tokens of all prompts of a run, with generated texts of full length."""

    whole: int
    """If the model reads each prompt from its beginning."""
    shared: int
    """If it reads the context of a question once for all steps."""


def passage_tokens(corpus: Path) -> int:
    """Estimate the mean tokens of a passage by the first posts of a corpus.

    Raises:
        DatasetError, MissingExtraError: The corpus cannot be read.
    """
    posts = islice(read_corpus(corpus), _POSTS)
    return round(
        mean(
            estimate_tokens(f"{heading(1, post.title)}\n{post.to_document(0.0).page_content}\n")
            for post in posts
        )
    )


def estimate_prompt_tokens(
    config: Config,
    questions: Sequence[str],
    passage: int,
    window: int | None,
    text_scale: float = 1.0,
) -> PromptTokens:
    """Estimate the tokens that the prompts of the answers have; the judge's are not counted.

    Args:
        config: The stages that run.
        questions: The questions of the run.
        passage: Tokens of a passage.
        window: The window that passages are cut to; None if it is not known.
        text_scale: As in `nodes.model.Reserve`; above 1 if the model's tokens are estimated.
    """
    calls = planned_calls(config)
    alone = sum(call.number for call in calls if call.template is ANSWER_ALONE)
    with_context = sum(call.number for call in calls) - alone
    own = sum(
        call.number * (estimate_tokens(call.reserve.instruction) + call.reserve.text_tokens)
        for call in calls
    )
    whole = shared = 0
    for question in questions:
        bare = estimate_tokens(outline(QUESTION, question=question))
        context = _context_tokens(config, question, passage, window, text_scale)
        whole += own + alone * bare + with_context * context
        shared += own + alone * bare + (context if with_context else 0)
    return PromptTokens(whole, shared)


def _context_tokens(
    config: Config, question: str, passage: int, window: int | None, text_scale: float
) -> int:
    bare = estimate_tokens(outline(CONTEXT, question=question))
    passages = min(config.generation.passages or config.retrieval.top_k, config.retrieval.top_k)
    tokens = bare + passages * passage
    steps = reserves(config)
    if window is None or not steps:
        return tokens
    reserved = max(
        step.tokens(window, text_scale) + estimate_tokens(step.instruction) for step in steps
    )
    return min(tokens, max(bare, window - reserved))
