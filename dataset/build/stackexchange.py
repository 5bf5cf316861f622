"""A Stack Exchange dump (`Posts.xml`, or the `.7z` that holds it) -> the question/answer table."""

from pathlib import Path

from dataset.build.archive import extract_posts
from dataset.build.counts import Counts
from dataset.build.dump import read_dump
from dataset.build.join import build_from_posts
from dataset.build.output import work_folder
from dataset.build.progress import Progress, reading
from dataset.build.selection import Selection
from dataset.errors import InputError


def build(
    dump: Path, target: Path, *, selection: Selection, site: str, progress: Progress
) -> Counts:
    """Build the table from a dump, streaming; the target appears at the end or not at all.

    Raises:
        InputError: the dump cannot be used, nothing of it is left, or the disk is full.
    """
    if not dump.is_file():
        raise InputError(f"{dump}: there is no such file; give Posts.xml or a .7z that holds it")
    with work_folder(target) as work:
        packed = dump.suffix.lower() == ".7z"
        posts = extract_posts(dump, work, progress) if packed else dump
        with reading(progress, f"reading {posts.name}", posts.stat().st_size) as advance:
            return build_from_posts(
                read_dump(posts, advance), target, work, selection=selection, site=site
            )
