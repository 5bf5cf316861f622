"""The memory and time that `python -m dataset build stackexchange` needs for a large dump.

Run `python -m bench.dump_memory [--megabytes 1024] [--limit N] [--folder PATH]`.

Writes a synthetic Posts.xml in the real format, of which most posts are left out as in a real dump,
and builds from it in a child process. Prints the child's peak memory, its seconds and the number of
rows. A dump of 10 MB is built the same way, and its rows must equal those of a join in plain
dictionaries. All files are in a temporary folder.
"""

import argparse
import csv
import random
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from lxml import etree

_CUT_MEGABYTES = 10
_WORDS = [
    "the",
    "a",
    "value",
    "list",
    "of",
    "in",
    "to",
    "string",
    "function",
    "how",
    "python",
    "loop",
    "file",
    "read",
    "object",
    "error",
    "when",
    "return",
    "class",
    "import",
    "key",
    "index",
    "array",
    "thread",
    "async",
    "await",
    "query",
    "table",
    "join",
    "column",
    "row",
    "null",
    "pointer",
    "memory",
    "stack",
    "heap",
    "queue",
    "sort",
    "search",
    "tree",
    "graph",
    "node",
    "edge",
    "test",
    "build",
    "deploy",
]
_TAGS = ("python", "javascript", "java", "javafx", "c++", "html", "python-3.x", "sql", "go", "r")


def main() -> None:
    """Measure, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--limit", default="20000", help="of the build; none means all rows")
    parser.add_argument("--folder", type=Path, help="the parent of the temporary folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        small, large = folder / "cut.xml", folder / "Posts.xml"
        write_dump(small, min(_CUT_MEGABYTES, arguments.megabytes))
        _compare(small, folder / "cut.csv")
        posts = write_dump(large, arguments.megabytes)
        print(f"dump: {large.stat().st_size / 1e6:.0f} MB, {posts} posts")
        _measure(large, folder / "out.csv", arguments.limit)


def write_dump(path: Path, megabytes: int) -> int:
    """Write a synthetic dump of `megabytes` times 2^20 bytes and return its number of posts."""
    rng = random.Random(0)
    posts = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<posts>\n')
        for posts, line in enumerate(_lines(rng), 1):
            file.write(line)
            if posts % 100 == 0 and file.tell() >= megabytes << 20:
                break
        file.write("</posts>")
    return posts


def _lines(rng: random.Random) -> Iterator[str]:
    paragraphs = [
        f"&lt;p&gt;{' '.join(rng.choices(_WORDS, k=rng.randint(20, 200)))}&lt;/p&gt;&#xA;"
        for _ in range(500)
    ]
    code = [
        "&lt;pre&gt;&lt;code&gt;for i in range(10):&#xA;    print(i &amp;lt; 3)&#xA;"
        f"{'    x += 1&#xA;' * rng.randint(1, 30)}&lt;/code&gt;&lt;/pre&gt;&#xA;"
        for _ in range(100)
    ]
    questions: deque[int] = deque(maxlen=3000)
    number = 0
    while True:
        number += rng.randint(1, 3)
        body = "".join(rng.choices(paragraphs, k=rng.randint(1, 3))) + rng.choice(code)
        day = f"20{rng.randint(15, 24)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}T01:02:03.45"
        score = int(rng.paretovariate(0.7)) - 1
        common = f'CreationDate="{day}" Score="{score}" Body="{body}" OwnerUserId="{number % 9999}"'
        if not questions or rng.random() < 0.4:
            tags = "".join(f"&lt;{tag}&gt;" for tag in rng.sample(_TAGS, 2))
            questions.append(number)
            yield (
                f'  <row Id="{number}" PostTypeId="1" AcceptedAnswerId="{number + 2}" {common} '
                f'Title="{" ".join(rng.choices(_WORDS, k=8))}" Tags="{tags}" />\n'
            )
        else:
            parent = rng.choice(questions)
            yield f'  <row Id="{number}" PostTypeId="2" ParentId="{parent}" {common} />\n'


def _build(dump: Path, target: Path, limit: str) -> str:
    command = [sys.executable, "-m", "dataset", "build", "stackexchange", str(dump)]
    build = subprocess.run(
        [*command, "--out", str(target), "--limit", limit],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return build.stdout


def _measure(dump: Path, target: Path, limit: str) -> None:
    start = perf_counter()
    summary = _build(dump, target, limit)
    seconds = perf_counter() - start
    # ru_maxrss is in kilobytes on Linux and in bytes on macOS. It is the maximum over all children so
    # far; the small dump was built before, but needs less memory than this one.
    import resource  # Windows has no such module

    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    print(summary, end="")
    with target.open(encoding="utf-8", newline="") as file:
        rows = sum(1 for _ in csv.reader(file)) - 1
    speed = dump.stat().st_size / 1e6 / seconds
    print(
        f"peak memory {peak / 1e6:.0f} MB, {seconds:.1f} s, {speed:.1f} MB/s, {rows} rows, "
        f"limit {limit}"
    )


def _compare(dump: Path, target: Path) -> None:
    for limit in ("none", "50"):
        _build(dump, target, limit)
        with target.open(encoding="utf-8", newline="") as file:
            built = [
                (int(row["question_id"]), int(row["answer_id"]), row["question_title"],
                 row["question_body"], row["question_tags"], row["answer_body"],
                 int(row["answer_score"]), row["is_accepted"] == "True")
                for row in csv.DictReader(file)
            ]  # fmt: skip
        expected = _plain_join(dump, None if limit == "none" else int(limit))
        assert built, "the small dump has no row to compare"
        assert built == expected, f"limit {limit}: differs from a plain join"
        print(f"cut of {dump.stat().st_size / 1e6:.0f} MB, limit {limit}: {len(built)} rows, equal")


def _plain_join(dump: Path, limit: int | None) -> list[tuple[object, ...]]:
    """Build the same rows with the whole dump in memory and without the builder's code."""
    rows = [dict(element.attrib) for element in etree.parse(dump).getroot()]
    questions = {
        int(row["Id"]): row
        for row in rows
        if row["PostTypeId"] == "1"
        and row["CreationDate"] >= "2020-01-01"
        and int(row["Score"]) >= 5
        and {"python", "javascript", "java"} & {*row["Tags"][1:-1].split("><")}
    }
    answers = []
    for row in rows:
        if row["PostTypeId"] != "2" or int(row["Score"]) < 5:
            continue
        if question := questions.get(int(row["ParentId"])):
            answers.append(
                (int(question["Id"]), int(row["Id"]), question["Title"], question["Body"],
                 question["Tags"][1:-1].replace("><", "|"), row["Body"], int(row["Score"]),
                 question["AcceptedAnswerId"] == row["Id"])
            )  # fmt: skip
    return sorted(sorted(answers, key=lambda row: (-row[6], row[0], row[1]))[:limit])


if __name__ == "__main__":
    main()
