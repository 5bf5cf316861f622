"""Leaks: questions of an evaluation dataset that stand in the corpus that retrieval searches.

A question that is found with its own answer below it measures a look-up, not an answer.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from dataset.check.overlap import Overlap
from dataset.check.words import html_words, markdown_words, title_key

Row = Mapping[str, str]
REASONS = ("id", "title", "question", "answer")
"""The same id, the same title, the same text of the question, the same text of the answer."""
SHORTEST_TITLE = 9
"""Bytes (UTF-8) that the letters and digits of a title need to count; "No log file?" has 9."""
_POST = re.compile(r"/(?:questions|q)/(\d+)")
_WHOLE = re.compile(r"(\d+)\.0+")
_SCHEME = re.compile(r"^https?://(?:www\.)?")


class LeakData(TypedDict):
    """One corpus question that repeats one question of a dataset, for JSON."""

    question_id: str
    eval_id: str
    reasons: list[str]
    share: float


class LeaksData(TypedDict):
    """All of them, counted."""

    corpus_questions: int
    eval_questions: int
    by_reason: dict[str, int]
    leaks: list[LeakData]


@dataclass(frozen=True)
class Probe:
    """An evaluation question, as it is looked for in a corpus."""

    eval_id: str
    ids: frozenset[str]
    """What may be its id in the corpus; never those of the posts that are meant to be found."""
    title: str
    texts: tuple[list[str], ...]
    """Its words: the body, and, where it is unknown what the title is, the whole."""
    answer: list[str]


@dataclass(frozen=True)
class Leak:
    """A question of the dataset that stands in a question of the corpus."""

    question_id: str
    eval_id: str
    reasons: tuple[str, ...]
    """Of `REASONS`, in that order."""
    share: float
    """How much of the shorter text the runs in common cover, in [0, 1]; 0 for another reason."""


@dataclass(frozen=True)
class Leaks:
    """All leaks, ordered by where the corpus and then the dataset have them."""

    found: tuple[Leak, ...]

    @property
    def question_ids(self) -> tuple[str, ...]:
        """The questions of the corpus that leak, each once."""
        return tuple(dict.fromkeys(leak.question_id for leak in self.found))

    @property
    def eval_ids(self) -> tuple[str, ...]:
        """The questions of the dataset that leak, each once."""
        return tuple(dict.fromkeys(leak.eval_id for leak in self.found))

    def counts(self) -> dict[str, int]:
        """Return the number of corpus questions per reason; one may have several."""
        pairs = {(leak.question_id, reason) for leak in self.found for reason in leak.reasons}
        counted = Counter(reason for _, reason in pairs)
        return {reason: counted[reason] for reason in REASONS}

    def to_data(self) -> LeaksData:
        """Return ids, reasons and counts as plain data, for JSON."""
        return {
            "corpus_questions": len(self.question_ids),
            "eval_questions": len(self.eval_ids),
            "by_reason": self.counts(),
            "leaks": [
                {
                    "question_id": leak.question_id,
                    "eval_id": leak.eval_id,
                    "reasons": list(leak.reasons),
                    "share": round(leak.share, 3),
                }
                for leak in self.found
            ],
        }


def probe_of_row(number: int, row: Row) -> Probe:
    """Return the probe of a dataset's row, in either of the two shapes that a dataset may have."""
    eval_id = row.get("eval_id", "").strip() or str(number)
    ids = ids_of(row)
    if "question" in row and "answer" in row:
        title = row.get("question_title", "")
        return probe_of_markdown(eval_id, row["question"], row["answer"], ids=ids, title=title)
    return Probe(
        eval_id=eval_id,
        ids=ids,
        title=row["question_title"],
        texts=(html_words(row["question_body"]),),
        answer=html_words(row["answer_body"]),
    )


def probe_of_markdown(
    eval_id: str, question: str, answer: str, *, ids: frozenset[str], title: str = ""
) -> Probe:
    """Return the probe of a question in Markdown; without a title its first line is taken."""
    first, _, rest = question.strip().partition("\n")
    whole, body = markdown_words(question), markdown_words(rest)
    return Probe(
        eval_id=eval_id,
        ids=ids,
        title=title.strip() or first,
        texts=(body, whole) if body else (whole,),
        answer=markdown_words(answer),
    )


def ids_of(row: Row) -> frozenset[str]:
    """Return what may be a row's id: its ids and its address, and the id in the address."""
    names = ("eval_id", "question_id", "question_url", "url", "issue_url")
    values = [row[name].strip() for name in names if row.get(name)]
    return frozenset(same for value in values if value for same in _spellings(value))


def _spellings(value: str) -> Iterator[str]:
    """Yield what else an id is known as: 7.0 is 7, and a post's address holds its id."""
    whole = _WHOLE.fullmatch(value)
    yield whole[1] if whole else value
    if "/" in value:
        yield _SCHEME.sub("", value.lower()).rstrip("/")
        if post := _POST.search(value):
            yield post[1]


def search(probes: Sequence[Probe], rows: Iterable[tuple[int, Row]]) -> Leaks:
    """Find the probes in the rows of a corpus, which is read once and not kept.

    Args:
        probes: the questions of a dataset.
        rows: (row number, row) of a corpus with the seven columns; bodies are HTML.
    """
    finder = _Finder(probes)
    # Keys keep their order; a question of the corpus has a row per answer.
    found: dict[tuple[str, int], dict[str, float]] = {}
    for number, row in rows:
        question_id = row["question_id"].strip() or f"row {number}"
        for probe, reasons in finder.find(row).items():
            known = found.setdefault((question_id, probe), {})
            for reason, share in reasons.items():
                known[reason] = max(share, known.get(reason, 0.0))
    places = {name: place for place, name in enumerate(dict.fromkeys(name for name, _ in found))}
    pairs = sorted(found.items(), key=lambda pair: (places[pair[0][0]], pair[0][1]))
    return Leaks(
        tuple(
            Leak(
                question_id,
                probes[probe].eval_id,
                tuple(reason for reason in REASONS if reason in reasons),
                max(reasons.values()),
            )
            for (question_id, probe), reasons in pairs
        )
    )


class _Finder:
    """The probes, ready to be looked up."""

    def __init__(self, probes: Sequence[Probe]) -> None:
        self._ids: defaultdict[str, list[int]] = defaultdict(list)
        self._titles: defaultdict[str, list[int]] = defaultdict(list)
        self._questions, self._answers = Overlap(), Overlap(whole=True)
        for number, probe in enumerate(probes):
            for same in probe.ids:
                self._ids[same].append(number)
            title = title_key(probe.title)
            if len(title.encode()) >= SHORTEST_TITLE:
                self._titles[title].append(number)
            for words in probe.texts:
                self._questions.add(number, words)
            self._answers.add(number, probe.answer)

    def find(self, row: Row) -> dict[int, dict[str, float]]:
        """Return the probes that stand in a row, each with its reasons and how much is shared."""
        found: defaultdict[int, dict[str, float]] = defaultdict(dict)
        for same in ids_of({name: row.get(name, "") for name in ("question_id", "question_url")}):
            for probe in self._ids.get(same, ()):
                found[probe]["id"] = 0.0
        for probe in self._titles.get(title_key(row["question_title"]), ()):
            found[probe]["title"] = 0.0
        for probe, share in self._questions.find(html_words(row["question_body"])).items():
            found[probe]["question"] = share
        for probe, share in self._answers.find(html_words(row["answer_body"])).items():
            found[probe]["answer"] = share
        return dict(found)
