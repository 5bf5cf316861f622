"""The builder for Stack Exchange dumps: `Posts.xml`, packed or not, or a folder that holds it."""

from pathlib import Path

from dataset.builders.archive import extract_posts
from dataset.builders.bodies import Bodies
from dataset.builders.byte_progress import byte_progress
from dataset.builders.dump import read_dump
from dataset.builders.dump_files import find_dump
from dataset.builders.join import build_from_posts
from dataset.builders.post_selection import Selection
from dataset.builders.row_counts import RowCounts
from dataset.builders.table_output import work_folder


def build(
    dump: Path, target: Path, *, selection: Selection, site: str, bodies: Bodies = "auto"
) -> RowCounts:
    """Build the question/answer table of a dump, which is read as a stream.

    Raises:
        DatasetError: the dump cannot be used, no row is kept, or the disk is full; the target is
            unchanged.
        MissingExtraError: a package for building is missing.
    """
    dump = find_dump(dump)
    with work_folder(target) as work:
        posts = extract_posts(dump, work) if dump.suffix.lower() == ".7z" else dump
        with byte_progress(f"reading {posts.name}", posts.stat().st_size) as advance:
            return build_from_posts(
                read_dump(posts, advance),
                target,
                work,
                selection=selection,
                site=site,
                bodies=bodies,
            )
