"""The number of code blocks that the conversion from HTML to Markdown changes, and its speed.

Run `python -m bench.markdown_fidelity CORPUS...`. The exit code is 1 if a code block is changed.

Reads every question and answer body. The text of each outermost `<pre>`, as `lxml.html` reads it
(`text_content()`, a `<br>` as a line break, line ends as HTML normalises them), must be the content of
a fence in the Markdown, in the same order and character by character. One line end at the end does not
count, since a fence cannot express whether its last line has one. The fences are read by code of this
module, which removes the marks of lists and quotes.

Prints a line for each changed code block, then a summary with the bodies converted per second, in one
process.
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
    from lxml import html as lxml_html

    if "<pre" not in html.lower():
        return []
    source = html.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")
    root = lxml_html.document_fromstring(source, parser=lxml_html.HTMLParser(huge_tree=True))
    for line_break in root.iter("br"):
        line_break.text = "\n"
    outermost = root.xpath("//pre[not(ancestor::pre)]")
    return [str(pre.text_content()).removesuffix("\n") for pre in outermost]


def fenced_code(markdown: str) -> Iterator[str]:
    """Yield the code between fences, without the marks of the lists and quotes around them."""
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


def missing(expected: list[str], fenced: list[str]) -> Iterator[str]:
    """Yield a line for each expected block that is not among the fenced ones, in the same order."""
    position = 0
    for number, code in enumerate(expected, 1):
        # Inline code of several lines becomes a fence too, so there can be fences in between.
        if code in fenced[position:]:
            position = fenced.index(code, position) + 1
        else:
            yield f"block {number} of {len(expected)} is missing: {code[:80]!r}"


if __name__ == "__main__":
    main()
