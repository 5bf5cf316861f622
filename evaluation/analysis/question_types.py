"""The type of a question: how-to, error or concept, by rules on English words.

The types follow Beyer et al. 2020 (Empirical Software Engineering 25): "API usage" is how-to,
"errors" and "discrepancy" are error, "conceptual" is concept. The first rule that matches decides;
the title is read before the body. A question that no rule knows is `other`, as are most questions in
other languages.
"""

import re
from typing import Literal

from graph.retrieval.plain import prose_and_code, without_line_marks
from graph.retrieval.query import Query

QuestionType = Literal["how-to", "error", "concept", "other"]
QUESTION_TYPES: tuple[QuestionType, ...] = ("how-to", "error", "concept", "other")

_VERBS = (
    "access add append apply assign build calculate call catch change check combine compare "
    "compute concatenate configure convert copy count create decode delete determine disable "
    "display download draw edit enable encode execute export extract fill filter find flatten "
    "format generate get handle implement import include insert install iterate join keep "
    "list load make map merge move open override parse pass plot print read remove rename "
    "reorder replace return reverse round run save search select send set shuffle sort split "
    "store sum swap transpose update upload use validate write"
)
"""What a title asks for where it says no more than the task: `Create zip`, `Reading a file`."""


def _forms(verb: str) -> str:
    """Return a pattern of a verb and its -ing form: `set`, `setting`; `use`, `using`."""
    return rf"{verb}|{verb.removesuffix('e')}{verb[-1]}?ing"


_HOW_TO = (
    r"how (to|do|can|could|should)\b|\bis (there|it possible)\b"
    r"|\b(way|approach) (of|to|for)\b|^can (i|we|you|one)\b"
)
_TOOL_FOR = r"\b(method|function|program|script|code) (of|to|for)\b"
_MEND = r"\b(fix|solve|resolve|debug|get rid of)\b"
_FAILURE = (
    r"error\b|errors\b|\b(traceback|bugs?|crash\w*|fail(s|ed|ing|ure)?|broken?|unable to|cannot|can'?t)\b"
    r"|\b(could not|no module named|not found|out of memory|oom)\b"
    r"|\b(not|(do|does|did|is|are|wo)n'?t) work"
)
_SYMPTOM = (
    r"\b(unexpected|weird|strange|wrong|incorrect|inconsistent|unintended)(ly)?\b"
    r"|\b(problems?|trouble|issues?|missing)\b"
    r"|\b(does|did|do|is|are|was|wo|would)(n'?t| not)\b(?! exist)"
    r"|\bnot \w+(ing|ed|able)\b"
)
_CONCEPT = (
    r"\b(why|what|what'?s|how|difference|vs|versus|meaning|means?|purpose|understand\w*|expla\w+)\b"
    r"|^(is|are|does|do|did|can|could|should|will|would|has|when|which)\b"
)
_ASKED_CONCEPT = r"\b(why|difference between|what (is|are|does)|understand|explain)\b"
_TASK = rf"^((in )?python\W*[\d .]*)?({'|'.join(map(_forms, _VERBS.split()))})\b"
_TRACEBACK = re.compile(
    r"Traceback \(most recent call last\)|^[ \t]*[\w.]*(?:Error|Exception): ", re.MULTILINE
)

_Rules = list[tuple[QuestionType, re.Pattern[str]]]


def _rules(*rules: tuple[QuestionType, str]) -> _Rules:
    return [(name, re.compile(pattern, re.IGNORECASE)) for name, pattern in rules]


_TITLE_RULES = _rules(
    ("error", rf"({_HOW_TO}).{{0,60}}{_MEND}"),
    ("how-to", rf"{_HOW_TO}|{_TOOL_FOR}"),
    ("error", _FAILURE),
    ("concept", _CONCEPT),
    ("error", _SYMPTOM),
)
_TRACE_RULES: _Rules = [("error", _TRACEBACK)]
_ASKING_RULES = _rules(
    ("error", rf"({_HOW_TO}).{{0,60}}{_MEND}"),
    ("how-to", _HOW_TO),
    ("concept", _ASKED_CONCEPT),
)
_TASK_RULES = _rules(("how-to", _TASK))
_COMPLAINT_RULES = _rules(("error", _FAILURE), ("error", _SYMPTOM))


def question_type(text: str) -> QuestionType:
    """Return the type of a question.

    Args:
        text: The question as Markdown; its title is the first paragraph.
    """
    query = Query.of(text.replace("\u2019", "'"))
    title = without_line_marks(query.title).strip()
    prose = "\n".join(prose_and_code(query.body)[0])
    # A title that only names a task says less than what the body asks.
    readings = (
        (_TITLE_RULES, title),
        (_TRACE_RULES, query.body),
        (_ASKING_RULES, prose),
        (_TASK_RULES, title),
        (_COMPLAINT_RULES, prose),
    )
    for rules, part in readings:
        for name, pattern in rules:
            if pattern.search(part):
                return name
    return "other"
