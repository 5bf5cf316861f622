"""Generated dumps: Posts.xml with odd values and damage, alone and in archives."""

import gzip
import zipfile
from pathlib import Path
from random import Random

from tests.fakes.dumps import HEAD, TAIL, answer, line, question
from tests.faults.commands import run_command
from tests.faults.harness import Case, Kind, Outcome, detail_of, faults_of
from tests.faults.odd_values import damaged, odd_text

_REFERENCES = (
    "&#55357;&#56832;",
    "&#65534;",
    "&#1114112;",
    "&#x110000;",
    "&#xD83D;&#xDE00;",
    "&#11;",
)
_HOSTILE = (
    '<!DOCTYPE posts [<!ENTITY a "aaaa">]>',
    '<!DOCTYPE posts SYSTEM "file:///etc/passwd">',
    '<?xml version="1.1"?>',
    "<row/>" * 2_000,
    "<row><row/></row>",
    "<x>" * 3_000,
    "<!--" + "x" * 10_000,
    "&a;",
    '<row Id="1" Id="2"/>',
    "]]>",
)


def _dump(random: Random) -> bytes:
    """Return a Posts.xml in which some values are odd and some rows are missing."""
    posts = [question(n) for n in range(1, 5)] + [answer(n + 10, n) for n in range(1, 5)]
    for _ in range(random.randrange(0, 4)):
        post = random.choice(posts)
        name = random.choice(list(post))
        if random.random() < 0.2:
            del post[name]
        else:
            post[name] = odd_text(random)
    lines = [line(post) for post in posts]
    if random.random() < 0.3:
        lines[0] = lines[0].replace("question", random.choice(_REFERENCES))
    if random.random() < 0.3:
        lines.insert(random.randrange(len(lines)), random.choice(_HOSTILE) + "\n")
    content = (HEAD + "".join(lines) + TAIL).encode("utf-8", "surrogatepass")
    return damaged(content, random) if random.random() < 0.4 else content


def _check_xml(case: Case) -> Outcome:
    path = case.folder / "Posts.xml"
    path.write_bytes(_dump(case.random))
    return _built(case, path)


def _check_archive(case: Case) -> Outcome:
    random, content = case.random, _dump(case.random)
    ending = random.choice(("7z", "7z", "7z", "7z", "xml.gz", "zip"))
    path = case.folder / f"site.{ending}"
    name = random.choice(
        ("Posts.xml", "Posts.xml", "posts.xml", "../Posts.xml", "a/Posts.xml", "x")
    )
    _write_archive(path, name, content)
    if random.random() < 0.6:
        path.write_bytes(damaged(path.read_bytes(), random))
    outcome = _built(case, path)
    if (case.folder.parent / "Posts.xml").exists():
        (case.folder.parent / "Posts.xml").unlink()
        return Outcome("", ("wrong",), "a file was written outside the folder")
    return outcome


def _write_archive(path: Path, name: str, content: bytes) -> None:
    import py7zr

    if path.name.endswith(".gz"):
        path.write_bytes(gzip.compress(content, 1))
    elif path.name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, content)
    else:
        # Preset 0: the default one takes 100 MB and half a second.
        filters = [{"id": py7zr.FILTER_LZMA2, "preset": 0}]
        with py7zr.SevenZipFile(path, "w", filters=filters) as archive:
            # The library writes no names that leave the folder; `test_archive.py` has archives with such.
            archive.writestr(content, name.replace("..", "a"))


def _built(case: Case, path: Path) -> Outcome:
    out = case.folder / "out.csv"
    ended = run_command(case, "dataset", "build", "stackexchange", path, "--out", out)
    faults = faults_of(ended, [0, 2])
    if not faults and out.exists() != (ended.code == 0):
        faults = ("false exit code",)
    end = "refused" if ended.code == 2 else "unchanged"
    return Outcome(end, faults, detail_of(ended))


KINDS = [
    Kind("generated dumps", 1_000, 12, _check_xml),
    Kind("generated archives", 500, 8, _check_archive),
]
