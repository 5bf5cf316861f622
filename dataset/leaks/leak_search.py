"""Leaks: questions of an evaluation dataset that are also in the corpus that retrieval searches.

If retrieval returns a question's own post with its answer, a metric measures a look-up.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from dataset.leaks.overlap import Overlap
from dataset.leaks.words import body_words, markdown_words, title_key
from graph.support.body_markup import Markup, peek_markup
from graph.support.table_values import id_or_text

Row = Mapping[str, str]
HTML_BODIES = ("question_body", "answer_body")
REASONS = ("id", "title", "question", "answer")
"""The same id, the same title, the same text of the question, the same text of the answer."""
SHORTEST_TITLE = 9
"""Bytes (UTF-8) that the letters and digits of a title need to count; "No log file?" has 9."""
_POST_ID = re.compile(r"/(?:questions|q)/(\d+)")
_SCHEME = re.compile(r"^https?://(?:www\.)?")


@dataclass(frozen=True)
class Probe:
    """A question of a dataset in the form in which it is searched for in a corpus."""

    eval_id: str
    ids: frozenset[str]
    """Its possible ids in the corpus, without `relevant_question_ids`: those posts may be found."""
    title: str
    texts: tuple[list[str], ...]
    """The words of the body; also those of the whole text if the title is only a guess."""
    answer: list[str]


class Leak(NamedTuple):
    """A question of the corpus that repeats a question of the dataset."""

    question_id: str
    eval_id: str
    reasons: tuple[str, ...]
    """Some of `REASONS`, in that order."""
    share: float
    """The share of the shorter text that common runs cover, in [0, 1]; 0 for an id or a title."""


@dataclass(frozen=True)
class LeakReport:
    """All leaks of a dataset into a corpus."""

    leaks: tuple[Leak, ...]
    """In the order of the corpus, then of the dataset."""

    @property
    def question_ids(self) -> tuple[str, ...]:
        """The ids of the leaking questions of the corpus, without repetitions."""
        return tuple(dict.fromkeys(leak.question_id for leak in self.leaks))

    @property
    def eval_ids(self) -> tuple[str, ...]:
        """The ids of the leaking questions of the dataset, without repetitions."""
        return tuple(dict.fromkeys(leak.eval_id for leak in self.leaks))

    def counts(self) -> dict[str, int]:
        """Return the number of corpus questions per reason; a question may have several reasons."""
        pairs = {(leak.question_id, reason) for leak in self.leaks for reason in leak.reasons}
        counts = Counter(reason for _, reason in pairs)
        return {reason: counts[reason] for reason in REASONS}

    def to_json(self) -> dict[str, object]:
        """Return the report as plain data: the leaks and their counts."""
        return {
            "corpus_questions": len(self.question_ids),
            "eval_questions": len(self.eval_ids),
            "by_reason": self.counts(),
            "leaks": [leak._asdict() | {"share": round(leak.share, 3)} for leak in self.leaks],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "LeakReport":
        """Build a report from the data of `to_json`.

        Raises:
            KeyError, TypeError, ValueError: the data is not that of a report.
        """
        return cls(
            tuple(
                Leak(
                    question_id=str(entry["question_id"]),
                    eval_id=str(entry["eval_id"]),
                    reasons=tuple(map(str, entry["reasons"])),
                    share=float(entry["share"]),
                )
                for entry in document["leaks"]
            )
        )


def probe_of_row(number: int, row: Row, markup: Markup = "html") -> Probe:
    """Return the probe of a row of a dataset.

    Args:
        number: The number of the row, which replaces a missing id.
        row: A row with the columns of Markdown or of HTML.
        markup: The markup of the bodies in the columns of HTML.
    """
    eval_id = id_or_text(row.get("eval_id", "")) or str(number)
    ids = ids_of(row)
    if "question" in row and "answer" in row:
        title = row.get("question_title", "")
        return probe_of_markdown(eval_id, row["question"], row["answer"], ids=ids, title=title)
    return Probe(
        eval_id=eval_id,
        ids=ids,
        title=row["question_title"],
        texts=(body_words(row["question_body"], markup),),
        answer=body_words(row["answer_body"], markup),
    )


def probe_of_markdown(
    eval_id: str, question: str, answer: str, *, ids: frozenset[str], title: str = ""
) -> Probe:
    """Return the probe of a question in Markdown; without a title its first line is the title."""
    first_line, _, rest = question.strip().partition("\n")
    whole, body = markdown_words(question), markdown_words(rest)
    return Probe(
        eval_id=eval_id,
        ids=ids,
        title=title.strip() or first_line,
        texts=(body, whole) if body else (whole,),
        answer=markdown_words(answer),
    )


def ids_of(row: Row) -> frozenset[str]:
    """Return the possible ids of a row: its ids, its addresses, and the ids in its addresses."""
    names = ("eval_id", "question_id", "question_url", "url", "issue_url")
    values = [row[name].strip() for name in names if row.get(name)]
    return frozenset(spelling for value in values if value for spelling in _spellings(value))


def _spellings(value: str) -> Iterator[str]:
    """Yield the equal forms of an id: 7.0 is 7, and the address of a post contains its id."""
    yield id_or_text(value)
    if "/" in value:
        yield _SCHEME.sub("", value.lower()).rstrip("/")
        if post_id := _POST_ID.search(value):
            yield post_id[1]


def search(probes: Sequence[Probe], rows: Iterable[tuple[int, Row]]) -> LeakReport:
    """Search the rows of a corpus for the probes; the rows are read once, and only the first stored.

    Args:
        probes: The questions of a dataset.
        rows: (row number, row) of a corpus; the first bodies tell whether all are HTML or Markdown.
    """
    markup, rows = peek_markup(iter(rows), HTML_BODIES)
    finder = _Finder(probes, markup)
    # A question of the corpus has a row per answer, so the reasons of its rows are merged.
    shares_of_pairs: dict[str, dict[int, dict[str, float]]] = {}
    for number, row in rows:
        question_id = id_or_text(row["question_id"]) or f"row {number}"
        for index, shares in finder.find(row).items():
            pair = shares_of_pairs.setdefault(question_id, {}).setdefault(index, {})
            for reason, share in shares.items():
                pair[reason] = max(share, pair.get(reason, 0.0))
    return LeakReport(
        tuple(
            Leak(
                question_id,
                probes[index].eval_id,
                tuple(reason for reason in REASONS if reason in shares),
                max(shares.values()),
            )
            for question_id, pairs in shares_of_pairs.items()
            for index, shares in sorted(pairs.items())
        )
    )


class _Finder:
    """Tables of the ids, titles and texts of all probes; a probe is named by its index."""

    def __init__(self, probes: Sequence[Probe], markup: Markup) -> None:
        self._markup = markup
        self._ids: defaultdict[str, list[int]] = defaultdict(list)
        self._titles: defaultdict[str, list[int]] = defaultdict(list)
        self._questions, self._answers = Overlap(), Overlap(whole=True)
        for index, probe in enumerate(probes):
            for spelling in probe.ids:
                self._ids[spelling].append(index)
            title = title_key(probe.title)
            if len(title.encode()) >= SHORTEST_TITLE:
                self._titles[title].append(index)
            for words in probe.texts:
                self._questions.add(index, words)
            self._answers.add(index, probe.answer)

    def find(self, row: Row) -> dict[int, dict[str, float]]:
        """Return the probes that a corpus row repeats: the share by reason, by probe index."""
        shares: defaultdict[int, dict[str, float]] = defaultdict(dict)
        row_ids = {name: row.get(name, "") for name in ("question_id", "question_url")}
        for spelling in ids_of(row_ids):
            for index in self._ids.get(spelling, ()):
                shares[index]["id"] = 0.0
        for index in self._titles.get(title_key(row["question_title"]), ()):
            shares[index]["title"] = 0.0
        question = body_words(row["question_body"], self._markup)
        for index, share in self._questions.find(question).items():
            shares[index]["question"] = share
        answer = body_words(row["answer_body"], self._markup)
        for index, share in self._answers.find(answer).items():
            shares[index]["answer"] = share
        return dict(shares)
