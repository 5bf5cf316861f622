"""The HTML page of a report: everything in it is escaped, and it loads and runs nothing foreign.

The content security policy names the page's own style and script by their hashes, so a browser
runs no script that a text of a run may hold. The questions are not even HTML: they are compressed
JSON, which the script shows as text.
"""

from base64 import b64encode
from functools import partial
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from evaluation.analysis.comparison import Difference, verdict
from evaluation.analysis.slices_document import chance_notes, left_out_lines
from evaluation.report.graph_pictures import graph_pictures
from evaluation.report.plots import cached_text, mean_panels, metric_panels
from evaluation.report.question_blocks import QuestionBlocks
from evaluation.report.rendered_texts import raw_texts
from evaluation.report.report_style import report_style
from evaluation.report.run_facts import facts_of, manifest_for_people, manifest_text, question_count
from evaluation.report.run_figures import Figures
from evaluation.report.slice_groups import direction, slice_groups
from evaluation.statistics.paired_tests import ALPHA
from evaluation.tables.numbers import interval_text, number, p_text, signed
from evaluation.tables.results_tables import retrieval_rows
from evaluation.tables.slices_table import FEW
from evaluation.tables.summary_columns import lines_below_mean
from graph.html import shared_scripts
from graph.support.terminal import safe_text

_MARKS = {"better": "▲", "worse": "▼", "not distinguishable": "≈", "no test": "·"}
"""By verdict, the sign beside a mean."""

SCRIPT_PARTS = (
    "difference_formats",
    "labelled_controls",
    "report_state",
    "packed_questions",
    "rendered_texts",
    "text_boxes",
    "question_filters",
    "question_order",
    "question_selection",
    "question_list",
    "record_parts",
    "passage_list",
    "step_outputs",
    "verdict_table",
    "step_trace",
    "citation_links",
    "answer_alignment",
    "run_comparison",
    "question_view",
    "question_tools",
    "keyboard_control",
    "metric_chooser",
    "page_start",
)
"""The files of script/, in an order in which the statements of each need only those before it.

Each may use the scripts of graph/html."""
PAGE_TEMPLATE = "report_page.html.j2"


def render_page(figures: Figures, blocks: QuestionBlocks, sources: str) -> str:
    """Return the page.

    Args:
        figures: Of all runs.
        blocks: The questions.
        sources: The digest of the files that the page is made from.
    """
    style, script = report_style(), _script()
    manifests = [manifest_for_people(run) for run in figures.runs]
    return (
        _environment()
        .get_template(PAGE_TEMPLATE)
        .render(
            policy=content_security_policy(style, script),
            style=Markup(style),
            script=Markup(script),
            sources=sources,
            figures=figures,
            question_count=question_count(figures.runs, manifests),
            facts=facts_of(figures.runs, manifests),
            manifests=[manifest_text(manifest) for manifest in manifests],
            pictures=graph_pictures(figures.runs),
            key={run.name: run.key for run in figures.runs}.__getitem__,
            mean_panels=mean_panels(figures),
            metric_panels=metric_panels(figures),
            chosen_metric="ROUGE-1" if "ROUGE-1" in figures.metrics else figures.metrics[0],
            blocks=blocks,
            raw_texts=raw_texts(blocks.rendered),
            settings={
                "runs": [[run.key, run.name, run.recorded.folder.name] for run in figures.runs],
                "metrics": figures.metrics,
                "rendered": bool(blocks.rendered),
                "control": next(run.key for run in figures.runs if run.name == figures.control),
            },
            alpha=ALPHA,
            slice_groups=slice_groups(figures),
            slice_notes=chance_notes(figures.slices),
            slices_left_out=left_out_lines(figures.slices),
            few=FEW,
        )
    )


def content_security_policy(style: str, script: str) -> str:
    """Return a policy that allows this style, this script and images inside the page."""
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            # Assigning a string to innerHTML and its like is then an error.
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode('utf-8')).digest()).decode('ascii')}"


def _asset(name: str) -> str:
    return (files("evaluation.report") / name).read_text(encoding="utf-8")


def _script() -> str:
    """Return the parts as one script; the function around them keeps their names off `window`."""
    parts = [_asset(f"script/{name}.js") for name in SCRIPT_PARTS]
    return "\n".join(['"use strict";', "(() => {", *shared_scripts().values(), *parts, "})();"])


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("evaluation.report", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_with_visible_characters,
    )
    environment.filters.update(
        breakable=_breakable,
        cached_text=cached_text,
        direction=direction,
        lines_below_mean=lines_below_mean,
        mark=_mark,
        number=number,
        p=p_text,
        retrieval_rows=retrieval_rows,
        signed=signed,
        signed_interval=partial(interval_text, style=signed),
        verdict=verdict,
    )
    return environment


def _with_visible_characters(value: Any) -> Any:
    """Return a text with its invisible and unwritable characters named; markup is our own."""
    return safe_text(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _breakable(name: str) -> Markup:
    """Return a name that a browser may break after its underscores."""
    return escape(safe_text(name)).replace("_", Markup("_<wbr>"))


def _mark(difference: Difference) -> str:
    return _MARKS[verdict(difference)]
