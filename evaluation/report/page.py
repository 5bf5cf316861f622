"""One HTML page from the figures: everything in it is escaped, and it may load and run nothing.

The page's own style and script are named by their hashes in its content security policy; whatever
else a text of a run may hold is no script to a browser. What comes from the questions is not even
HTML: it is JSON, compressed, and the script shows it as text.
"""

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from evaluation.analysis.comparison import Difference, verdict
from evaluation.report import plots
from evaluation.report.facts import asked_of, facts_of, manifest_of, manifest_text
from evaluation.report.figures import Figures
from evaluation.report.pictures import pictures_of
from evaluation.report.question_blocks import QuestionBlocks
from evaluation.statistics.paired_tests import ALPHA
from evaluation.statistics.summaries import Summary
from evaluation.tables.numbers import number, p_text
from graph.support.terminal import safe_text

_MARKS = {
    "better": ("▲", "better"),
    "worse": ("▼", "worse"),
    "not distinguishable": ("≈", "not distinguishable"),
    "no test": ("·", "no test"),
}

_SCRIPT_PARTS = (
    "value_formats",
    "page_elements",
    "text_boxes",
    "report_state",
    "packed_questions",
    "question_filters",
    "question_order",
    "question_selection",
    "question_list",
    "record_parts",
    "passage_list",
    "step_outputs",
    "step_judgements",
    "step_trace",
    "answer_alignment",
    "run_comparison",
    "question_view",
    "question_tools",
    "keyboard_control",
    "metric_chooser",
    "page_start",
)
"""The files of script/, in an order in which each needs only those before it."""


def render(figures: Figures, blocks: QuestionBlocks) -> str:
    """Return the page."""
    style, script = _asset("report.css"), _script()
    manifests = [manifest_of(each) for each in figures.runs]
    template = _environment().get_template("report_page.html.j2")
    return template.render(
        policy=policy(style, script),
        style=Markup(style),
        script=Markup(script),
        figures=figures,
        asked=asked_of(figures.runs, manifests),
        facts=facts_of(figures.runs, manifests),
        manifests=[manifest_text(manifest) for manifest in manifests],
        pictures=pictures_of(figures.runs),
        key={each.name: each.key for each in figures.runs}.__getitem__,
        plots=plots,
        chosen="ROUGE-1" if "ROUGE-1" in figures.metrics else figures.metrics[0],
        blocks=blocks,
        settings={
            "runs": [[each.key, each.name, each.run.folder.name] for each in figures.runs],
            "metrics": figures.metrics,
            "control": next(e.key for e in figures.runs if e.name == figures.control),
        },
        alpha=ALPHA,
    )


def policy(style: str, script: str) -> str:
    """Return the content security policy: this style, this script, pictures inside the page."""
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src '{_digest(style)}'",
            f"script-src '{_digest(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def _digest(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode('utf-8')).digest()).decode('ascii')}"


def _asset(name: str) -> str:
    return (files("evaluation.report") / name).read_text(encoding="utf-8")


def _script() -> str:
    """Return the parts as one script; the function around them keeps their names off `window`."""
    parts = [_asset(f"script/{name}.js") for name in _SCRIPT_PARTS]
    return "\n".join(['"use strict";', "(() => {", *parts, "})();"])


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("evaluation.report", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    made.filters.update(
        breakable=_breakable,
        mean=_mean,
        interval=_interval,
        mark=_mark,
        signed=_signed,
        p=p_text,
        verdict=verdict,
    )
    return made


def _shown(value: Any) -> Any:
    """Make what cannot be seen, or cannot stand in a file, visible; markup is ours already."""
    return safe_text(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _breakable(name: str) -> Markup:
    return escape(safe_text(name)).replace("_", Markup("_<wbr>"))


def _mean(summary: Summary) -> str:
    return "none" if summary["mean"] is None else number(summary["mean"])


def _interval(ends: list[float] | None, sign: str = "") -> str:
    return "no interval" if ends is None else " to ".join(number(end, sign) for end in ends)


def _mark(difference: Difference) -> tuple[str, str]:
    return _MARKS[verdict(difference)]


def _signed(value: float | None) -> str:
    return "none" if value is None else number(value, "+")
