"""The speed of the question loop on different engines, and the prompt tokens that they read.

Run `python -m bench.engines [--limit N] [--batch-size N] [--server URL] [--set KEY=VALUE ...]`.

Answers questions of the sample by `semantic_cot`, without a judge: with the embedded model on the
engine `openvino`, with the same model on transformers, and with the model of a server with OpenAI's
interface if its address is given. Passages are retrieved and weights are loaded before anything is
timed, and no reply comes from a cache of replies. The engines take turns by batches of questions, and
another engine is the first in each turn. No question is asked twice, since an engine may remember it.

Prints the figures of each engine. `CPU s` is the processor time of this process for a question, which
depends less than `seconds` on other work of the machine; a server's is not known. `read` counts the
prompt tokens that the engine had not read before:

- openvino has no such counter. It is computed from the tokens of the prompts: its prefix cache holds
  whole blocks of 32 tokens. The filler that is read with the prompts of a call counts as well.
- transformers reads all tokens.
- a server says how many tokens it had read before, or nothing is known.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import cast

from rich.table import Table

from evaluation.answering.questions import Item, batches, load_items
from evaluation.tables.layout import add_number_columns, new_table
from evaluation.tables.numbers import NONE, exact_percent
from graph.build import AnsweringGraph, answering_graph
from graph.config import load_settings
from graph.models import Models, open_models
from graph.models.engines.openvino_engine import OpenVINOEngine
from graph.models.engines.weights_engine import WeightsEngine
from graph.models.openvino_model import BLOCK_TOKENS, FILLER_TOKENS
from graph.retrieval import open_retriever
from graph.retrieval.control_retrievers import OracleRetriever
from graph.schema import Settings
from graph.support import terminal
from nodes.model import Reply
from nodes.prompting import answer_prompt
from nodes.state import State

SAMPLE = Path(__file__).parents[1] / "dataset" / "sample"
STOCK = "huggingface"
"""The engine that the others are compared with."""


@dataclass
class Figures:
    """The work of one engine so far."""

    questions: int = 0
    """Answered questions."""
    failed: int = 0
    seconds: float = 0.0
    processor_seconds: float | None = 0.0
    """Of this process; None for a server."""
    sent: int = 0
    """Tokens of all prompts."""
    read: int | None = 0
    """Those that the engine read; None if it does not say."""
    new: int = 0
    """Tokens of all replies."""


class PrefixCache:
    """The prompts that a prefix cache holds, in whole blocks of tokens."""

    def __init__(self) -> None:
        self._prefixes: set[tuple[int, ...]] = set()

    def read(self, prompts: Sequence[Sequence[int]]) -> int:
        """Return the number of tokens to read of prompts that run together, and keep their blocks.

        The last token of a prompt is always read: the model writes after it.
        """
        tokens = sum(len(prompt) - self._cached_tokens(prompt) for prompt in prompts)
        self._prefixes.update(prefix for prompt in prompts for prefix in _prefixes(prompt))
        return tokens

    def _cached_tokens(self, prompt: Sequence[int]) -> int:
        cached = 0
        for prefix in _prefixes(prompt):
            if prefix not in self._prefixes:
                break
            cached = len(prefix)
        return min(cached, len(prompt) - 1)


def _prefixes(prompt: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield the beginnings of a prompt that consist of whole blocks, the shortest first."""
    for end in range(BLOCK_TOKENS, len(prompt) + 1, BLOCK_TOKENS):
        yield tuple(prompt[:end])


@dataclass
class Side:
    """An engine, ready to answer, and its figures."""

    models: Models
    graph: AnsweringGraph
    figures: Figures = field(default_factory=Figures)
    cache: PrefixCache = field(default_factory=PrefixCache)
    """Used by the engine openvino alone."""

    def run(self, items: Sequence[Item]) -> None:
        """Answer questions side by side, and add to the figures."""
        figures = self.figures
        tasks: list[Callable[[], State]] = [partial(self._answer, item) for item in items]
        start, processor_start = time.perf_counter(), time.process_time()
        outcomes = self.models.lockstep.run(tasks)
        figures.seconds += time.perf_counter() - start
        if figures.processor_seconds is not None:
            figures.processor_seconds += time.process_time() - processor_start
        for outcome in outcomes:
            if outcome.error is not None:
                print(f"failed: {outcome.error!r}")
        states = [outcome.value for outcome in outcomes if outcome.value is not None]
        figures.questions += len(states)
        figures.failed += len(outcomes) - len(states)
        for calls in joined_calls(states):
            self._count(calls)

    def _answer(self, item: Item) -> State:
        return cast(State, self.graph.invoke({"question": item.question}))

    def _count(self, calls: Sequence[Reply]) -> None:
        figures = self.figures
        figures.sent += sum(call["prompt_tokens"] for call in calls)
        figures.new += sum(call["new_tokens"] for call in calls)
        tokens = self._read_tokens(calls)
        figures.read = None if figures.read is None or tokens is None else figures.read + tokens

    def _read_tokens(self, calls: Sequence[Reply]) -> int | None:
        """Return the prompt tokens that the engine read for calls that ran together."""
        engine = self.models.generator.engine
        if isinstance(engine, OpenVINOEngine):
            prompts = [engine.loaded.encode(call["prompt"]) for call in calls]
            return self.cache.read(prompts) + FILLER_TOKENS
        sent = sum(call["prompt_tokens"] for call in calls)
        if isinstance(engine, WeightsEngine):
            return sent
        cached = [call.get("cached_tokens") for call in calls]
        return None if None in cached else sent - sum(tokens or 0 for tokens in cached)


def joined_calls(states: Sequence[State]) -> list[list[Reply]]:
    """Return the first calls of all questions, then their second calls, and so on.

    `semantic_cot` asks for texts alone.
    """
    calls = [
        [reply for step in state["steps"] for reply in step.get("replies", [])] for state in states
    ]
    return [[call for call in row if call is not None] for row in zip_longest(*calls)]


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    items = load_items(SAMPLE / "coderepoqa_python.csv", arguments.limit)
    settings = _settings(arguments)
    retriever = _retrieve(settings[STOCK], items)
    sides = {name: _open(side, retriever, arguments.batch_size) for name, side in settings.items()}
    names = list(sides)
    for number, batch in enumerate(batches(items, arguments.batch_size), 1):
        for name in names:
            before = sides[name].figures.seconds
            sides[name].run(batch)
            seconds = sides[name].figures.seconds - before
            print(f"turn {number}: {name} {seconds:.1f} s, {len(batch)} questions", flush=True)
        names.append(names.pop(0))
    terminal.console().print(figures_table({name: side.figures for name, side in sides.items()}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=12, help="questions")
    parser.add_argument("--batch-size", type=int, default=12, help="questions of a turn")
    parser.add_argument("--server", metavar="URL", help="as http://127.0.0.1:8080/v1")
    parser.add_argument("--server-model", default="auto", metavar="NAME")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE")
    return parser.parse_args()


def _settings(arguments: argparse.Namespace) -> dict[str, Settings]:
    """Return the settings of each engine."""
    settings = {
        engine: load_settings(
            "semantic_cot", "embedded", [f"generator.engine={engine}", *arguments.set]
        )
        for engine in ("openvino", STOCK)
    }
    if arguments.server:
        overrides = [
            f"generator.base_url={arguments.server}",
            f"generator.model={arguments.server_model}",
            f"generator.window={settings[STOCK].profile.generator.window}",
        ]
        settings["server"] = load_settings("semantic_cot", "server", [*overrides, *arguments.set])
    return settings


def _retrieve(settings: Settings, items: Sequence[Item]) -> OracleRetriever:
    """Retrieve the passages of all questions; return a retriever that looks them up."""
    retriever = open_retriever(
        settings.config.retrieval,
        settings.profile.embedder,
        corpus=SAMPLE / "question_answer.csv",
    )
    return OracleRetriever(
        documents={item.question: retriever.invoke(item.question) for item in items}
    )


def _open(settings: Settings, retriever: OracleRetriever, batch_size: int) -> Side:
    """Open the model of an engine and load its weights."""
    models = open_models(settings.profile, batch_size=batch_size)
    model = models.generator
    graph = answering_graph(
        settings.config, model=model, chooser=model, retriever=retriever, output=State
    )
    model.write([answer_prompt({"question": "Why?"})], max_new_tokens=1)
    is_here = isinstance(model.engine, WeightsEngine)
    return Side(models, graph, Figures(processor_seconds=0.0 if is_here else None))


def figures_table(figures: Mapping[str, Figures]) -> Table:
    """Return a row for each engine, in figures for a question; `none` where a figure is not known."""
    table = new_table()
    table.add_column("engine")
    add_number_columns(
        table,
        *("n", "failed", "seconds", "CPU s", "times\nas fast", "by\nCPU s"),
        *("prompt\ntokens", "read", "share\nread", "new\ntokens", "new\na second"),
    )
    stock = figures[STOCK]
    for name, row in figures.items():
        asked = row.questions + row.failed
        table.add_row(
            *(name, str(row.questions), str(row.failed)),
            f"{row.seconds / asked:.1f}",
            _figure(row.processor_seconds, asked),
            f"{stock.seconds / row.seconds:.2f}",
            _figure(stock.processor_seconds, row.processor_seconds, 2),
            f"{row.sent / asked:.0f}",
            _figure(row.read, asked, 0),
            NONE if row.read is None or not row.sent else exact_percent(row.read / row.sent),
            f"{row.new / asked:.0f}",
            f"{row.new / row.seconds:.1f}",
        )
    return table


def _figure(total: float | None, by: float | None, digits: int = 1) -> str:
    return NONE if total is None or not by else f"{total / by:.{digits}f}"


if __name__ == "__main__":
    main()
