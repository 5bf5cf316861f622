"""A trace for human eyes: one block a step, on stdout."""

from rich.console import Console
from rich.text import Text

from graph.support.terminal import safe_text
from nodes.model import Verdict
from nodes.state import Passage, Step, calls_of

_console = Console(highlight=False, soft_wrap=False)
_SHOWN_CHARS = 700
_FORMATS = {
    "numbered": "numbered",
    "free": "not numbered: read as paragraphs",
    "none": "the critic found nothing wrong",
    "empty": "the critic wrote nothing",
}


def narrate(step: Step) -> None:
    """Print what one step did: passages, drafts, verdicts, critique, tokens and seconds."""
    _console.rule(Text(_headline(step), style="bold"), align="left")
    _narrate_passages(step)
    _narrate_drafts(step)
    _narrate_choice(step)
    _narrate_points(step)
    _console.print()


def _narrate_passages(step: Step) -> None:
    for passage in step.get("passages", []):
        _print(_source(passage), "cyan")
    if step.get("passages") == []:
        _print("no passage found", "yellow")


def _narrate_drafts(step: Step) -> None:
    if "chosen" in step:  # the drafts were shown where they were written
        return
    drafting = step["node"] in ("generate", "extract")
    names = {"refine": "refined", "controls": "control"}
    for number, draft in enumerate(step.get("candidates", []), 1):
        if draft["reasoning"] and drafting:
            _print(f"reasoning {number}", "dim")
            _print(_short(draft["reasoning"]), "dim", indent=2)
        _print(f"{names.get(step['node'], 'draft')} {number}", "green")
        _print(_short(draft["text"]) or "(empty)", indent=2)


def _narrate_choice(step: Step) -> None:
    verdicts = step.get("verdicts", [])
    for pair, preference in enumerate(step.get("preferences", [])):
        first, second = preference["first"] + 1, preference["second"] + 1
        wins = preference["first_wins"]
        verdict = "unreadable" if wins is None else f"preferred with probability {wins:.2f}"
        agree = "" if preference["orders_agree"] else ", the two orders disagree"
        _print(f"candidate {first} over {second}: {verdict}{agree}")
        for one, other, each in ((first, second, 0), (second, first, 1)):
            line = _verdict_line(verdicts[2 * pair + each])
            _print(f"asked with {one} as A, {other} as B: {line}", "dim", indent=2)
    for number, score in enumerate(step.get("likelihoods", []), 1):
        mean = score["mean_logprob"]
        said = "empty" if mean is None else f"{mean:.3f} a token"
        _print(f"candidate {number}: log-probability {said}")
    if "chosen" in step:
        _print(f"chosen: candidate {step['chosen'] + 1}", "green")


def _narrate_points(step: Step) -> None:
    if "points" not in step:
        return
    _print(f"{len(step['points'])} points ({_FORMATS[step['critique_format']]})", "yellow")
    for number, point in enumerate(step["points"], 1):
        _print(f"{number}. {_short(point)}", indent=2)


def print_answer(answer: str, passages: list[Passage]) -> None:
    """Print an answer and the passages it may cite."""
    _console.rule(Text("answer", style="bold"), align="left")
    _print(answer or "(the model gave no answer)")
    if passages:
        _console.print()
        _print("passages", "bold")
        for passage in passages:
            _print(_source(passage), "cyan")


def _headline(step: Step) -> str:
    parts = [step["node"]]
    if "seconds" in step:
        parts.append(f"{step['seconds']:.1f} s")
    asked = calls_of(step)
    if asked:
        parts.append(f"{sum(item['prompt_tokens'] for item in asked)} prompt tokens")
    if step.get("replies"):
        parts.append(f"{sum(reply['new_tokens'] for reply in step['replies'])} new tokens")
    cut = sum(item["cut_tokens"] for item in asked)
    if cut:
        parts.append(f"{cut} tokens cut to fit")
    return "  |  ".join(parts)


def _source(passage: Passage) -> str:
    link = f"  {passage['url']}" if passage["url"] else ""
    licence = f"  ({passage['licence']})" if passage["licence"] else ""
    title = passage["title"] or passage["text"][:60]
    return f"[{passage['number']}] {passage['score']:.3f}  {title}{link}{licence}"


def _verdict_line(verdict: Verdict) -> str:
    if verdict["probabilities"] is None:
        return f"said {verdict['choice'] or 'nothing readable'}: {_short(verdict['reply'] or '')}"
    shares = "  ".join(f"{o} {share:.2f}" for o, share in verdict["probabilities"].items())
    return f"{shares}  (mass on the options {verdict['mass']:.2f})"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS].rstrip() + " [...]"


def _print(text: str, style: str = "", indent: int = 0) -> None:
    margin = " " * indent
    lines = "\n".join(margin + line for line in safe_text(text).split("\n"))
    _console.print(Text(lines, style=style))
