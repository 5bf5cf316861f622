"""Does code survive HTML to Markdown, and how fast: python -m bench.markdown_fidelity CORPUS...

Reads every question and answer body of the corpora. The text of each outermost `<pre>`, as
`lxml.html` reads it (`text_content()`, a `<br>` a line break, line ends as HTML normalises them),
must stand in a fence of the Markdown, in the same order, character by character. A
fence cannot say whether its last line had a line end, so one line end at the end does not count.
The fences are read by a reader of its own, which removes the marks of lists and quotes.
Prints one line for each code block that did not survive; exit code 1 where there are any. Bodies a
second are those of the conversion alone, in one process.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from graph.markdown import to_markdown
from graph.support.progress import progress
from graph.support.table_files import read_rows

BODIES = ("question_body", "answer_body")
_OPENING = re.compile(r"(?P<marks>(?:> |- |\d{1,9}\. | )*)(?P<fence>`{3,})[^`]*")


def main() -> None:
    """Count, time and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", nargs="+", type=Path)
    lost = [_measure(path) for path in parser.parse_args().corpus]
    sys.exit(1 if any(lost) else 0)


def _measure(path: Path) -> int:
    rows = list(read_rows(path, ("question_id", *BODIES)))
    seconds, blocks, lost = 0.0, 0, 0
    with progress(path.name, len(rows), unit="rows") as bar:
        for number, row in rows:
            for name in BODIES:
                start = perf_counter()
                markdown = to_markdown(row[name])
                seconds += perf_counter() - start
                expected = code_blocks(row[name])
                blocks += len(expected)
                for problem in missing(expected, list(fenced_code(markdown))):
                    lost += 1
                    print(f"{path.name}: row {number}, {name}: {problem}")
            bar.advance(1)
    bodies = len(rows) * len(BODIES)
    print(
        f"{path.name}: {len(rows):,} rows, {blocks:,} <pre>, {lost:,} not the same; "
        f"{bodies / seconds:,.0f} bodies/s ({bodies:,} in {seconds:.1f} s)",
        flush=True,
    )
    return lost


def code_blocks(html: str) -> list[str]:
    """Return the text of each outermost `<pre>`, without a line end at its end."""
    from lxml import html as reader

    if "<pre" not in html.lower():
        return []
    source = html.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")
    root = reader.document_fromstring(source, parser=reader.HTMLParser(huge_tree=True))
    for line_break in root.iter("br"):
        line_break.text = "\n"
    outermost = root.xpath("//pre[not(ancestor::pre)]")
    return [str(pre.text_content()).removesuffix("\n") for pre in outermost]


def fenced_code(markdown: str) -> Iterator[str]:
    """Yield the code between fences; lines are as deep in lists and quotes as the first fence."""
    lines = iter(markdown.split("\n"))
    for line in lines:
        opening = _OPENING.fullmatch(line)
        if opening is None:
            continue
        marks = re.sub(r"[^> ]", " ", opening["marks"])
        code = []
        for inner in lines:
            text = inner.removeprefix(marks) if inner.startswith(marks) else inner.lstrip("> ")
            if text.rstrip(" ") == opening["fence"]:
                break
            code.append(text)
        yield "\n".join(code)


def missing(expected: list[str], found: list[str]) -> Iterator[str]:
    """Yield a line for each block that is not among those found, in the order of the post."""
    place = 0
    for number, code in enumerate(expected, 1):
        # Code of several lines in a sentence gets a fence too: it may stand between.
        if code in found[place:]:
            place = found.index(code, place) + 1
        else:
            yield f"block {number} of {len(expected)} is not there: {code[:80]!r}"


if __name__ == "__main__":
    main()
