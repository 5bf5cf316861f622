"""Posts of the sample as rows of a dataset, and copies of them as rows of a corpus."""

import html
import re
from functools import cache

from tests.fakes.corpora import row
from tests.fakes.csv_files import read_csv
from tests.fakes.project_files import SAMPLE_CORPUS

FILLER = (
    "<p>Nothing here has to do with it: my neighbour keeps seven hens, two of which lay blue eggs "
    "on Mondays, and every other day he paints a small wooden fence around their yard.</p>"
)


@cache
def posts():
    return tuple(read_csv(SAMPLE_CORPUS))


def dataset_row(post):
    """Return a post of the sample as a row of a dataset."""
    return {
        "eval_id": post["question_id"],
        "question_title": post["question_title"],
        "question_body": post["question_body"],
        "answer_body": post["answer_body"],
    }


def planted(number, **changes):
    """Return a row of a corpus that has nothing in common with any question."""
    bodies = {"question_body": FILLER, "answer_body": f"<p>{FILLER}</p>"}
    return row(90_000_000 + number, f"Hens and fences, part {number}", **{**bodies, **changes})


def cut_of_words(body, chance):
    """Four fifths of the words as one plain paragraph."""
    words = html.unescape(re.sub(r"<[^<>]*>", " ", body)).split()
    length = len(words) * 4 // 5
    start = chance.randrange(len(words) - length + 1)
    return f"<p>{html.escape(' '.join(words[start : start + length]))}</p>"
