"""Narration of a question for the terminal: one block for each step, then the answer."""

from collections.abc import Sequence
from textwrap import indent
from types import TracebackType

from langchain_core.messages import AIMessageChunk
from rich.console import Console
from rich.live import Live
from rich.text import Text

from graph.support.terminal import console, print_text, safe_text
from graph.support.text import plural
from nodes.model import Likelihood, Verdict
from nodes.state import Draft, Passage, Step, calls_of

_console = console()
_MAX_CHARS = 700
"""Longest text that is printed whole."""
_PREVIEW_CHARS = 600
_PREVIEW_LINES = 8
_NO_PASSAGE = "no passage was found"
_DRAFT_NAMES = {
    "refine": "refinement",
    "adapt": "adaptation",
    "extra_candidates": "extra candidate",
}
_FORMATS = {
    "numbered": "numbered",
    "free": "not numbered: its paragraphs were taken as points",
    "none": "the critique names no flaw",
    "empty": "the critique came back empty",
}


class Preview:
    """The newest lines of a reply while the model writes it, on the terminal of stderr.

    It disappears before the step that holds the whole reply is printed.
    """

    def __init__(self) -> None:
        self._live: Live | None = None
        self._replies: dict[str | None, str] = {}

    def __enter__(self) -> "Preview":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    def add(self, chunk: AIMessageChunk) -> None:
        """Show a new part of a reply; of replies that are written side by side, the first is shown."""
        self._replies[chunk.id] = self._replies.get(chunk.id, "") + chunk.text
        text = next(iter(self._replies.values()))
        if chunk.chunk_position == "last":
            del self._replies[chunk.id]
        if self._live is None:
            self._live = Live(console=Console(stderr=True), transient=True)
            self._live.start()
        self._live.update(Text(_newest_lines(text), style="dim"))

    def clear(self) -> None:
        """Remove what is shown."""
        if self._live:
            self._live.stop()
        self._live = None
        self._replies.clear()


def _newest_lines(text: str) -> str:
    return "\n".join(safe_text(text[-_PREVIEW_CHARS:]).splitlines()[-_PREVIEW_LINES:])


def narrate(step: Step) -> None:
    """Print one step: passages, drafts, verdicts, critique, tokens and seconds."""
    _print_rule(_headline(step))
    _narrate_passages(step)
    _narrate_drafts(step)
    _narrate_choice(step)
    _narrate_points(step)
    _console.print()


def print_answer(answer: str, steps: Sequence[Step]) -> None:
    """Print an answer and the passages that it may cite; without an answer, the reason."""
    passages = next((step["passages"] for step in steps if "passages" in step), None)
    _print_rule("answer")
    if answer:
        number = _copied_passage(answer, steps)
        if number:
            _print(f"word for word from passage [{number}]:", "dim")
        _print(answer)
    elif any(calls_of(step) for step in steps):
        _print("(the model gave no answer)")
    elif passages:
        is_pick = any(step["node"] == "rerank_passages" for step in steps)
        _print("(no passage has an answer)" if is_pick else "(the first passage has no answer)")
    if passages == []:
        _print(_NO_PASSAGE, "yellow")
    if passages:
        _console.print()
        _print("passages", "bold")
        for passage in passages:
            _print(_source(passage), "cyan")


def _copied_passage(answer: str, steps: Sequence[Step]) -> int | None:
    """Return the number of the passage whose answer this is, word for word; None if a model wrote it."""
    drafts = (draft for step in steps for draft in step.get("candidates", []))
    numbers = (draft.get("passage") for draft in drafts if draft["text"] == answer)
    return next(filter(None, numbers), None)


def _narrate_passages(step: Step) -> None:
    for passage in step.get("passages", []):
        _print(_source(passage), "cyan")
    if step.get("passages") == []:
        _print(_NO_PASSAGE, "yellow")


def _narrate_drafts(step: Step) -> None:
    if "chosen" in step:  # the steps before it printed its candidates
        return
    node = step["node"]
    for number, draft in enumerate(step.get("candidates", []), 1):
        # A refinement has the notes of the draft before it, which are printed already.
        if draft["reasoning"] and node != "refine":
            _print(f"notes {number}", "dim")
            _print(_shorten(draft["reasoning"]), "dim", margin=2)
        _print(f"{_DRAFT_NAMES.get(node, 'draft')} {number}", "green")
        _print(_shorten(draft["text"]) or "(empty)", margin=2)


def _narrate_choice(step: Step) -> None:
    verdicts = step.get("verdicts", [])
    for index, preference in enumerate(step.get("preferences", [])):
        first, second = (_candidate(step, preference[name]) for name in ("first", "second"))
        wins = preference["first_wins"]
        if wins is None:
            _print(f"{first} and {second}: no readable verdict")
        else:
            agreement = (
                "both orders agree" if preference["orders_agree"] else "the two orders disagree"
            )
            _print(f"{first} over {second}: {wins:.3f}, {agreement}")
        # The two verdicts of a pair follow each other, in the straight and in the swapped order.
        straight, swapped = verdicts[2 * index : 2 * index + 2]
        _print(f"{first} as A: {_verdict_line(straight)}", "dim", margin=2)
        _print(f"{second} as A: {_verdict_line(swapped)}", "dim", margin=2)
    for index, similarity in enumerate(step.get("agreements", [])):
        _print(f"{_candidate(step, index)}: agreement with the others {similarity:.3f}")
    for index, likelihood in enumerate(step.get("likelihoods", [])):
        _print(f"{_candidate(step, index)}: {_likelihood_text(likelihood)}")
    for index, (draft, score) in enumerate(
        zip(step.get("candidates", []), step.get("scores", []), strict=False)
    ):
        expected = f", expected score {score['expected']:.3f}" if "expected" in score else ""
        name = f"{_candidate(step, index)}, {_origin(draft)}"
        _print(f"{name}: score {score['score']:.3f}{expected}")
    if "chosen" in step:
        name = _candidate(step, step["chosen"])
        _print(f"{name} was kept" if step["node"] == "accept" else f"chosen: {name}", "green")
    if "expected_score" in step:
        _print(f"expected score {step['expected_score']:.3f}: {_consequence(step)}", "yellow")


def _consequence(step: Step) -> str:
    """Return the decision by the expected score, in words."""
    if step["node"] == "abstain":
        return "the answer is withheld" if step["withheld"] else "the answer stays"
    return (
        "no passage is in the prompts" if step["closed_book"] else "the passages are in the prompts"
    )


def _candidate(step: Step, index: int) -> str:
    """Return the name of one of the texts between which a step chooses."""
    if step["node"] == "accept":
        return "the refinement" if index else "the answer before"
    return f"candidate {index + 1}"


def _likelihood_text(likelihood: Likelihood) -> str:
    mean = likelihood["mean_logprob"]
    if mean is None:
        return "empty, so it has no likelihood"
    tokens = likelihood["scored_tokens"]
    return f"mean log-probability of a token {mean:.3f}, over {tokens:,} {plural(tokens, 'token')}"


def _origin(draft: Draft) -> str:
    """Return the origin of a candidate in words."""
    if "passage" in draft:
        return f"passage {draft['passage']}"
    return draft.get("source", "draft")


def _narrate_points(step: Step) -> None:
    if "points" not in step:
        return
    count = len(step["points"])
    _print(f"{count} {plural(count, 'point')} ({_FORMATS[step['critique_format']]})", "yellow")
    for number, point in enumerate(step["points"], 1):
        _print(f"{number}. {_shorten(point)}", margin=2)


def _headline(step: Step) -> str:
    parts = [step["node"]]
    if "seconds" in step:
        parts.append(f"{step['seconds']:.1f} s")
    calls = calls_of(step)
    # The model reported no counts for some of the calls.
    mark = "~" if any(call["tokens_estimated"] for call in calls) else ""
    if calls:
        count = sum(call["prompt_tokens"] for call in calls)
        cached_tokens = sum(call.get("cached_tokens", 0) for call in calls)
        cached = f" ({cached_tokens:,} cached)" if cached_tokens else ""
        parts.append(f"{mark}{count:,} {plural(count, 'token')} read{cached}")
    if step.get("replies"):
        count = sum(reply["new_tokens"] for reply in step["replies"])
        parts.append(f"{mark}{count:,} written")
    cut_tokens = sum(call["cut_tokens"] for call in calls)
    if cut_tokens:
        cut_mark = "~" if any(call.get("cut_tokens_estimated") for call in calls) else ""
        parts.append(f"{cut_mark}{cut_tokens:,} cut to fit")
    return "  |  ".join(parts)


def _source(passage: Passage) -> str:
    link = f"  {passage['url']}" if passage["url"] else ""
    licence = f"  ({passage['licence']})" if passage["licence"] else ""
    title = passage["title"] or passage["text"][:60]
    score = "score unknown" if passage["score"] is None else f"{passage['score']:.3f}"
    return f"[{passage['number']}] {score}  {title}{link}{licence}"


def _verdict_line(verdict: Verdict) -> str:
    if verdict["probabilities"] is None:
        choice = verdict["choice"] or "nothing readable"
        return f"replied {choice}: {_shorten(verdict['reply'] or '')}"
    shares = "  ".join(
        f"{option} {share:.2f}" for option, share in verdict["probabilities"].items()
    )
    return f"{shares}  (mass {verdict['mass']:.2f})"


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_CHARS else text[:_MAX_CHARS].rstrip() + " [...]"


def _print_rule(title: str) -> None:
    _console.rule(Text(title, style="bold"), align="left")


def _print(text: str, style: str = "", margin: int = 0) -> None:
    print_text(_console, indent(safe_text(text), " " * margin), style=style)
