"""The model calls that a config plans for a question: their number, and the tokens that they need."""

from typing import NamedTuple

from langchain_core.prompts import PromptTemplate

from graph.schema import Config
from nodes.model import SCORED_TOKENS, TEXT_CHOICE_TOKENS, Reserve
from prompts.adapt_prompts import ADAPT
from prompts.choice_prompts import choice_instruction
from prompts.context import outline
from prompts.critique_prompts import CRITIQUE
from prompts.generate_prompts import ANSWER, ANSWER_ALONE, ANSWER_FROM, REASON
from prompts.refine_prompts import REFINE
from prompts.rerank_prompts import COMPARE, OPTIONS


class PlannedCalls(NamedTuple):
    """Calls of one kind for a question, at most."""

    number: int
    template: PromptTemplate
    reserve: Reserve
    writes: bool = True
    """Whether the model writes a text, and not a verdict or a likelihood."""


def planned_calls(config: Config) -> list[PlannedCalls]:
    """Return the model calls of a question; none of them is longer than its reserve."""
    generation, reranking = config.generation, config.rerank
    drafts = reranking.drafts if reranking.initial else 1
    if generation.method == "extract":
        return []
    if config.retrieval.kind == "none":
        return [_writing(config, ANSWER_ALONE, drafts)]
    calls = [_writing(config, ADAPT if generation.method == "adapt" else ANSWER, drafts)]
    if generation.cot:
        calls = [_writing(config, REASON, drafts), _writing(config, ANSWER_FROM, drafts)]
    if "baseline" in reranking.candidates:
        calls.append(_writing(config, ANSWER_ALONE, 1))
    if reranking.initial:
        calls += _choosing(config)
    rounds = config.refine.max_rounds
    refinements = reranking.drafts if reranking.refined else 1
    calls += [_writing(config, CRITIQUE, rounds), _writing(config, REFINE, rounds * refinements)]
    if reranking.refined:
        calls += _choosing(config, rounds)
    if config.refine.accept == "preferred":
        calls.append(_comparing(config, 2 * rounds))
    return calls


def texts_per_question(config: Config) -> int:
    """Return the largest number of texts that the nodes generate for one question."""
    return sum(calls.number for calls in planned_calls(config) if calls.writes)


def reserves(config: Config) -> tuple[Reserve, ...]:
    """Return the reserves of all steps that share the passages of a question."""
    calls = planned_calls(config)
    return tuple({call.reserve: None for call in calls if call.template is not ANSWER_ALONE})


def _writing(config: Config, template: PromptTemplate, number: int) -> PlannedCalls:
    length = config.generation.max_new_tokens
    # The other variables of a template are texts that the model wrote.
    whole = {"boundary": "", "max_points": str(config.critique.max_points)}
    texts = len({*template.input_variables} - {*whole})
    instruction = outline(template, max_points=whole["max_points"])
    return PlannedCalls(number, template, Reserve(instruction, texts * length, length))


def _choosing(config: Config, rounds: int = 1) -> list[PlannedCalls]:
    """Return the calls that choose among all candidates, `rounds` times."""
    extra = len({*config.rerank.candidates} - {"passages"})
    passages = config.retrieval.top_k if "passages" in config.rerank.candidates else 0
    candidates = config.rerank.drafts + extra + passages
    if config.rerank.method == "pairwise":
        return [_comparing(config, rounds * candidates * (candidates - 1))]
    if config.rerank.method == "likelihood":
        reserve = Reserve(outline(ANSWER), 0, SCORED_TOKENS + 1)
        return [PlannedCalls(rounds * candidates, ANSWER, reserve, writes=False)]
    return []


def _comparing(config: Config, number: int) -> PlannedCalls:
    # The longest kind of verdict: in text, with an instruction of its own.
    instruction = outline(COMPARE) + choice_instruction(OPTIONS)
    texts = 2 * config.generation.max_new_tokens
    return PlannedCalls(
        number, COMPARE, Reserve(instruction, texts, TEXT_CHOICE_TOKENS), writes=False
    )
