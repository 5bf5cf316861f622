"""Whole runs without weights: scripted models behind the real graph, loop and command line."""

import re
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

from evaluation.answering.answering_setup import AnsweringSetup
from evaluation.answering.questions import Item
from evaluation.commands import eval_command as cli
from graph.build import answering_graph, judged_graph
from graph.config import load_config
from graph.models import Models
from graph.models.batching import BatchedModel
from graph.models.lockstep import Lockstep
from graph.schema import Config
from nodes.choice import CandidateScorer
from nodes.state import State
from tests.fakes.corpora import EMBEDDER, FakeEncoder, encode_without_weights
from tests.fakes.fake_models import FakeRetriever, LengthScorer, ScriptedEngine, documents


def items(count: int) -> list[Item]:
    """Return questions that name their own number, so that a scripted answer can tell them apart."""
    return [
        Item(number, f"q{number}", question(number), f"because of reason {number} and {number}", ())
        for number in range(count)
    ]


def question(number: int) -> str:
    return f"question <{number}>: why does step {number} fail?"


def number_of(prompt: str) -> int:
    """Return the number of the question that a prompt is about."""
    return int(re.search(r"question <(\d+)>", prompt)[1])


def answer_for(prompt: str) -> str:
    """Answer differently for every question and every step."""
    number = number_of(prompt)
    return f"because of reason {number}, said after {len(prompt)} characters"


class Scripted:
    """A setup with its scripted engines, which record their prompts."""

    def __init__(
        self,
        answer: Callable[[str], str] = answer_for,
        config: str | Config = "baseline",
        scorer: CandidateScorer | None = None,
    ) -> None:
        lockstep = Lockstep()
        self.writer, self.judge = ScriptedEngine(answer), ScriptedEngine()
        self.retriever = FakeRetriever(documents=documents("one passage", "another"))
        model = BatchedModel(self.writer, lockstep)
        answering = answering_graph(
            load_config(config),
            model=model,
            chooser=model,
            retriever=self.retriever,
            scorer=scorer or LengthScorer(),
            output=State,
        )
        graph = judged_graph(answering, BatchedModel(self.judge, lockstep))
        self.setup = AnsweringSetup(graph, lockstep, FakeEncoder(EMBEDDER))

    def question_numbers(self) -> list[int]:
        """Return the number of each question in the writer's prompts, call by call."""
        return [number_of(prompt) for call in self.writer.calls for prompt in call]


def write_dataset(path: Path, count: int) -> Path:
    lines = [f'"{item.question}","{item.reference}"\n' for item in items(count)]
    path.write_text("question,answer\n" + "".join(lines), encoding="utf-8")
    return path


def without_weights(monkeypatch, answer: Callable[[str], str] = answer_for) -> None:
    """Make eval.py's command line run on scripted models, with no torch and no encoder."""

    def open_models(profile, *, batch_size=8, seed=0, cache=None):
        lockstep = Lockstep()
        model = BatchedModel(ScriptedEngine(answer), lockstep)
        return Models(model, model, lockstep)

    torch = ModuleType("torch")
    # Libraries that can work with torch look for it so.
    torch.__spec__ = ModuleSpec("torch", None)
    torch.Tensor = type("Tensor", (), {})
    torch.cuda = SimpleNamespace(is_available=lambda: False)
    torch.cpu = SimpleNamespace(get_capabilities=dict)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(cli, "open_models", open_models)
    monkeypatch.setattr("evaluation.answering.workers.open_models", open_models)
    monkeypatch.setattr("evaluation.answering.answering_setup.open_encoder", FakeEncoder)
    encode_without_weights(monkeypatch)
    monkeypatch.setattr("evaluation.answering.run_job.versions", dict)
    # Bootstrap intervals are tested elsewhere, and would take most of a sweep's time.
    monkeypatch.setattr("evaluation.statistics.intervals.MEAN_RESAMPLES", 50)
    # So is the drawing of graphs, of which each takes a second.
    monkeypatch.setattr("evaluation.report.graph_pictures._svg_address", lambda mermaid: None)


def command(monkeypatch, *arguments: object) -> None:
    """Make this the command line that `cli.main` reads."""
    monkeypatch.setattr(sys, "argv", ["eval.py", *map(str, arguments)])
