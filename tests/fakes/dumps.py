"""Small dumps in the real format, and a join in plain Python to compare with."""

from collections import Counter
from pathlib import Path
from xml.sax.saxutils import quoteattr

from dataset.builders.post_parsing import DumpPost, PostParser, RejectedPost
from dataset.builders.post_selection import Selection

HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<posts>\n'
TAIL = "</posts>"


def question(number, **changes):
    """A question that the default selection takes."""
    return {
        "Id": str(number),
        "PostTypeId": "1",
        "CreationDate": "2021-03-04T05:06:07.890",
        "Score": "10",
        "Body": f"<p>question {number}</p>",
        "OwnerUserId": "77",
        "Title": f"Title {number}",
        "Tags": "<python><list>",
        "ContentLicense": "CC BY-SA 4.0",
    } | changes


def answer(number, parent, **changes):
    """An answer that the default selection takes."""
    return {
        "Id": str(number),
        "PostTypeId": "2",
        "ParentId": str(parent),
        "CreationDate": "2021-03-05T00:00:00.000",
        "Score": "7",
        "Body": f"<p>answer {number}</p>",
        "OwnerDisplayName": "a person",
        "ContentLicense": "CC BY-SA 4.0",
    } | changes


def line(post):
    """One row as the dump has it."""
    fields = " ".join(
        f"{name}={quoteattr(text, {chr(10): '&#xA;', chr(13): '&#xD;', chr(9): '&#x9;'})}"
        for name, text in post.items()
    )
    return f"  <row {fields} />\n"


def xml(posts):
    """A whole Posts.xml."""
    return HEAD + "".join(map(line, posts)) + TAIL


def write_dump(folder: Path, posts, encoding="utf-8"):
    """Write Posts.xml into a folder and return its path."""
    path = folder / "Posts.xml"
    path.write_bytes(xml(posts).encode(encoding))
    return path


def plain_join(rows, selection: Selection, site="stackoverflow.com"):
    """Return ((question id, answer id) pairs in order, reasons) with dictionaries alone."""
    parser, ids, reasons = PostParser(selection, site), set(), Counter()
    questions, answers, left_out = {}, [], set()
    for row in rows:
        result = parser.parse(row)
        if isinstance(result, RejectedPost):
            reasons[result.reason] += 1
            left_out.add(result.question_id)
            continue
        kind, post = result
        if post.id in ids:
            reasons["duplicate id"] += 1
        elif kind == "question":
            questions[post.id] = post
        else:
            answers.append(post)
        ids.add(post.id)
    pairs: list[tuple[DumpPost, DumpPost]] = []
    for post in answers:
        if post.parent in questions:
            pairs.append((questions[post.parent], post))
        elif post.parent in left_out:
            reasons["answer to a question left out"] += 1
        else:
            reasons["answer to a question that is not there"] += 1
    pairs.sort(key=lambda pair: (-pair[1].score, pair[0].id, pair[1].id))
    table = pairs[: selection.limit]
    answered, table_questions = {q.id for q, _ in pairs}, {q.id for q, _ in table}
    reasons["question without a kept answer"] = len(questions) - len(answered)
    reasons["beyond the limit"] = len(pairs) - len(table) + len(answered) - len(table_questions)
    return sorted((q.id, a.id) for q, a in table), +reasons
