"""A dump becomes the question/answer table: the right rows, whole, and every other row counted."""

import bz2
import errno
import gzip
import lzma
import zipfile
from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.builders import join, parquet_parts, partitions, stackexchange
from dataset.builders.post_parsing import licence_by_date
from dataset.builders.post_selection import Selection
from dataset.builders.row_counts import RowCounts
from dataset.tags import parse_tags
from graph.support.errors import DatasetError
from graph.support.terminal import Interrupted
from tests.fakes.csv_files import read_csv
from tests.fakes.dumps import answer, plain_join, question, write_dump
from tests.fakes.properties import examples


def build(tmp_path, posts, *, encoding="utf-8", name="out.csv", **selection):
    """Build from posts; return (rows, counts)."""
    dump = write_dump(tmp_path, posts, encoding)
    target = tmp_path / name
    counts = stackexchange.build(
        dump, target, selection=Selection(**selection), site="stackoverflow.com"
    )
    return read_csv(target), counts


def refusal(tmp_path, posts, **selection):
    """Build from posts that must be refused; the old target must survive, and nothing else."""
    target = tmp_path / "out.csv"
    target.write_text("old", encoding="utf-8")
    with pytest.raises(DatasetError) as caught:
        build(tmp_path, posts, **selection)
    assert target.read_text(encoding="utf-8") == "old"
    assert {path.name for path in tmp_path.iterdir()} <= {"out.csv", "Posts.xml"}
    return str(caught.value)


def pairs(rows):
    return [(int(row["question_id"]), int(row["answer_id"])) for row in rows]


def test_a_row_has_the_question_its_answer_and_what_attribution_needs(tmp_path):
    body = '<pre><code>if a &lt; b:\r\n\tx = "1" # ü 日本 😀\n</code></pre>'
    posts = [
        question(4, AcceptedAnswerId="9", Title="a, \"b\" & 'c'", Body=body),
        answer(9, 4, Body=body),
        answer(8, 4, OwnerDisplayName="", ContentLicense="CC BY-SA 3.0"),
    ]
    rows, counts = build(tmp_path, posts)
    assert list(rows[0]) == list(join.TABLE_COLUMNS)
    assert rows[1] == {
        "question_id": "4",
        "question_title": "a, \"b\" & 'c'",
        "question_body": body,
        "question_tags": "python|list",
        "answer_id": "9",
        "answer_body": body,
        "answer_score": "7",
        "is_accepted": "True",
        "question_score": "10",
        "question_url": "https://stackoverflow.com/questions/4",
        "answer_url": "https://stackoverflow.com/a/9",
        "question_author": "https://stackoverflow.com/users/77",
        "answer_author": "a person",
        "question_creation_date": "2021-03-04T05:06:07.890",
        "answer_creation_date": "2021-03-05T00:00:00.000",
        "licence": "CC BY-SA 4.0",
    }
    other = rows[0]
    assert (other["answer_id"], other["is_accepted"], other["answer_author"]) == ("8", "False", "")
    assert other["licence"] == "question CC BY-SA 4.0, answer CC BY-SA 3.0"
    assert counts.kept_by_kind == {"questions": 1, "answers": 2}
    assert counts.summary() == (
        "rows in = kept + rejected: 3 = 3 + 0\nkept: 1 questions, 2 answers\n"
    )


def test_every_reason_is_counted_and_the_sum_is_exact(tmp_path):
    posts = [
        question(1),
        answer(2, 1),
        answer(2, 1, Body="again"),
        question(3, CreationDate="2019-12-31T23:59:59.999"),
        answer(4, 3),
        question(5, Score="4"),
        question(6, Tags="<pythonista>"),
        answer(7, 999),
        answer(8, 1, Score="4"),
        question(9),
        {"Id": "10", "PostTypeId": "5"},
        question(11, Body=" "),
        question(12, Title=""),
        question(13, CreationDate="soon"),
        question(14, Score="many"),
        answer(2**63, 1),
        answer(15, "none"),
        answer(16, 1, Score="6"),
        {},
    ]
    rows, counts = build(tmp_path, posts, limit=1)
    assert pairs(rows) == [(1, 2)]
    assert counts.rejected_by_reason == {
        "duplicate id": 1,
        "question too old": 1,
        "answer to a question left out": 1,
        "question score too low": 1,
        "tag not wanted": 1,
        "answer to a question that is not there": 1,
        "answer score too low": 1,
        "question without a kept answer": 1,
        "neither question nor answer": 2,
        "empty body": 1,
        "empty title": 1,
        "bad creation date": 1,
        "bad score": 1,
        "bad id": 1,
        "answer without a question id": 1,
        "beyond the limit": 1,
    }
    assert (
        counts.rows_in
        == len(posts)
        == counts.kept_by_kind.total() + counts.rejected_by_reason.total()
    )
    assert "rows in = kept + rejected: 19 = 2 + 17\n" in counts.summary()
    assert "2 neither question nor answer, 1 answer score too low" in counts.summary()


few = st.integers(1, 12)
any_post = st.one_of(
    st.builds(
        lambda n, s, t, y: question(n, Score=str(s), Tags=t, CreationDate=f"{y}-01-01T00:00:00"),
        few,
        st.integers(4, 9),
        st.sampled_from(["<python>", "|java|x|", "<pythonic>", ""]),
        st.sampled_from([2019, 2020, 2021]),
    ),
    st.builds(
        lambda n, p, s, b: answer(n, p, Score=str(s), Body=b),
        few,
        few,
        st.integers(4, 9),
        st.sampled_from(["b", "", 'c\n,"d']),
    ),
    st.builds(lambda n: {"Id": n, "PostTypeId": "1"}, st.sampled_from(["", "x", "-1"])),
)


@examples(15)
@given(
    st.lists(any_post, max_size=25),
    st.sampled_from([None, 1, 3]),
    st.booleans(),
)
def test_any_dump_gives_what_a_plain_join_gives(tmp_path_factory, posts, limit, like):
    folder = tmp_path_factory.mktemp("any")
    posts = [question(500), answer(501, 500, Score="100"), *posts]
    selection = Selection(limit=limit, like_original=like)
    rows, counts = build(folder, posts, limit=limit, like_original=like)
    expected, reasons = plain_join(posts, selection)
    assert pairs(rows) == expected
    assert counts.rejected_by_reason == reasons
    assert (
        counts.rows_in
        == len(posts)
        == counts.kept_by_kind.total() + counts.rejected_by_reason.total()
    )


def test_a_limit_keeps_the_highest_scores_and_breaks_ties_by_id(tmp_path):
    posts = [
        question(1),
        question(2),
        answer(13, 2, Score="8"),
        answer(12, 1, Score="8"),
        answer(11, 1, Score="6"),
        answer(10, 2, Score="9"),
    ]
    rows, counts = build(tmp_path, posts, limit=2)
    assert pairs(rows) == [(1, 12), (2, 10)]
    assert build(tmp_path, posts[::-1], limit=2)[0] == rows
    assert counts.rejected_by_reason == {"beyond the limit": 2}
    assert len(build(tmp_path, posts, limit=None)[0]) == 4


@pytest.mark.parametrize(
    "text",
    [
        "<a><B-c><.net>",
        "|a|b-c|.net|",
        "a|b-c|.net",
        " a | b-c|.net",
        "a, b-c,.net",
        '["a", "b-c", ".net"]',
        "['a', 'b-c', '.net']",
    ],
)
def test_tags_are_read_in_every_form(text):
    assert parse_tags(text) == ["a", "b-c", ".net"]


@pytest.mark.parametrize(
    ("tags", "by_name", "by_part"),
    [
        ("<java>", True, True),
        ("<javafx>", False, True),
        ("<c#><python-3.x>", False, True),
        ("<c#>", False, False),
        ("", False, False),
    ],
)
def test_tags_match_by_name_or_as_the_original_did(tags, by_name, by_part):
    assert Selection().matches(parse_tags(tags)) is by_name
    assert Selection(like_original=True).matches(parse_tags(tags)) is by_part


@pytest.mark.parametrize(
    ("day", "licence"),
    [
        ("2011-04-07T23:59:59.999", "CC BY-SA 2.5"),
        ("2011-04-08T00:00:00.000", "CC BY-SA 3.0"),
        ("2018-05-01", "CC BY-SA 3.0"),
        ("2018-05-02", "CC BY-SA 4.0"),
        ("2026-01-01 00:00:00 UTC", "CC BY-SA 4.0"),
        ("once", ""),
    ],
)
def test_the_licence_follows_from_the_day(day, licence):
    assert licence_by_date(day) == licence


def test_the_dump_names_the_licence_where_it_does_and_the_day_decides_elsewhere(tmp_path):
    old = "2012-01-01T00:00:00"
    posts = [
        question(1, CreationDate=old, ContentLicense=""),
        answer(2, 1, CreationDate=old, ContentLicense="CC BY-SA 9"),
    ]
    rows, _ = build(tmp_path, posts, since=date(2011, 1, 1))
    assert rows[0]["licence"] == "question CC BY-SA 3.0, answer CC BY-SA 9"


def test_ids_beyond_2_to_53_survive_exactly(tmp_path):
    large = 2**63 - 1
    rows, _ = build(tmp_path, [question(2**53 + 1), answer(large, 2**53 + 1)])
    assert pairs(rows) == [(2**53 + 1, large)]


def test_the_first_of_two_rows_with_one_id_counts(tmp_path):
    posts = [question(1, Title="first"), answer(2, 1), question(1, Title="second"), answer(1, 1)]
    rows, counts = build(tmp_path, posts)
    assert [row["question_title"] for row in rows] == ["first"]
    assert counts.rejected_by_reason == {"duplicate id": 2}


def test_the_same_dump_gives_the_same_bytes_packed_or_not(tmp_path):
    posts = [question(1), answer(2, 1), answer(3, 1)]
    build(tmp_path, posts)
    build(tmp_path, posts, name="a.csv.gz")
    build(tmp_path, posts, name="b.CSV.GZ")
    packed = (tmp_path / "a.csv.gz").read_bytes()
    assert packed == (tmp_path / "b.CSV.GZ").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / "out.csv").read_bytes()


@pytest.mark.parametrize(
    ("posts", "message"),
    [
        ([question(1), question(3)], "none of the 2 rows is an answer (PostTypeId 2)"),
        ([answer(1, 2)], "none of the 1 rows is a question (PostTypeId 1)"),
        ([], "none of the 0 rows is a question"),
        (
            [question(1), answer(2, 3)],
            "none of the 2 rows is kept, nothing was written: 1 answer to",
        ),
    ],
)
def test_a_dump_that_leaves_nothing_is_refused(tmp_path, posts, message):
    assert message in refusal(tmp_path, posts)


@pytest.mark.parametrize("step", ["parquet", "table", "sync"])
def test_a_full_disk_is_one_line_and_the_old_table_stays(tmp_path, monkeypatch, step):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    if step == "parquet":
        monkeypatch.setattr(parquet_parts._PartFile, "_flush", full)
    elif step == "table":
        monkeypatch.setattr("dataset.builders.table_output._open_text", full)
    else:
        monkeypatch.setattr("os.fsync", full)
    message = refusal(tmp_path, [question(1), answer(2, 1)])
    assert message == (
        f"No space left on device; make room and start again; {tmp_path}/out.csv was not touched"
    )


def test_a_full_disk_is_told_of_and_not_what_follows_from_it(tmp_path, monkeypatch):
    from pyarrow.parquet import ParquetWriter

    def full(writer, table):
        writer.close()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(parquet_parts, "_GROUP_ROWS", 2)
    monkeypatch.setattr(ParquetWriter, "write_table", full)
    message = refusal(tmp_path, [question(1), *(answer(n, 1) for n in range(2, 8))])
    assert message.startswith("No space left on device; make room")


def test_a_join_that_fails_is_one_line_and_the_old_table_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(join, "MEMORY_LIMIT", "1kB")
    message = refusal(tmp_path, [question(1), answer(2, 1)])
    assert message.startswith("the join failed: ")
    assert message.endswith("; nothing was written")
    assert "\n" not in message


@pytest.mark.parametrize("characters", [1, 25, 60])
def test_ranges_of_any_size_give_the_same_table(tmp_path, monkeypatch, characters):
    posts = [question(n, Body="q" * n) for n in (9, 2, 7, 4, 5)]
    posts += [answer(100 - n, 2 + n % 4, Body="a" * n) for n in range(1, 30)]
    expected, _ = build(tmp_path, posts)
    assert pairs(expected) == plain_join(posts, Selection())[0]
    monkeypatch.setattr(partitions, "PARTITION_CHARACTERS", characters)
    monkeypatch.setattr(partitions, "_BUFFERED_CHARACTERS", 900)
    assert build(tmp_path, posts)[0] == expected


def test_a_range_starts_with_a_question_and_holds_whole_ones(monkeypatch):
    monkeypatch.setattr(partitions, "PARTITION_CHARACTERS", 10)
    sizes = [(1, 4), (1, 20), (3, 5), (4, 4), (8, 1), (9, 1)]
    assert partitions.range_starts(sizes) == [1, 3, 9]
    assert partitions.range_starts([]) == []


def test_an_interrupt_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupted(*_):
        raise Interrupted(2)
        yield

    monkeypatch.setattr(stackexchange, "read_dump", interrupted)
    with pytest.raises(Interrupted):
        build(tmp_path, [])
    assert [path.name for path in tmp_path.iterdir()] == ["Posts.xml"]


def test_counts_that_do_not_add_up_are_a_defect():
    counts = RowCounts()
    counts.rows_in = 3
    counts.reject("bad id")
    counts.reject("never", 0)
    assert counts.rejected_by_reason == Counter({"bad id": 1})
    with pytest.raises(AssertionError, match="3 rows in, 0 kept, 1 rejected"):
        counts.summary()


def packed(folder, posts, name, member="site/Posts.xml"):
    """Write the dump of posts as one packed file."""
    dump = write_dump(folder, posts, "utf-8")
    content = dump.read_bytes()
    dump.unlink()
    path = folder / name
    match path.suffix.lower():
        case ".zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(member, content)
                archive.writestr("site/Users.xml", "<users/>")
        case ending:
            pack = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[ending]
            path.write_bytes(pack(content))
    return path


PACKED = ["Posts.xml.gz", "Posts.xml.bz2", "Posts.xml.xz", "Posts.xml.zip"]


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("give_folder", [False, True])
def test_a_packed_dump_and_its_folder_give_the_rows_of_the_dump(tmp_path, name, give_folder):
    folder = tmp_path / "dump"
    folder.mkdir()
    path = packed(folder, [question(4), answer(9, 4)], name)
    target = tmp_path / "out.csv"
    stackexchange.build(
        folder if give_folder else path, target, selection=Selection(), site="stackoverflow.com"
    )
    assert pairs(read_csv(target)) == [(4, 9)]


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_packed_dump_with_its_end_torn_off_is_refused(tmp_path, name, cut):
    path = packed(tmp_path, [question(4), answer(9, 4)], name)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DatasetError, match=r"damaged, truncated or encrypted") as caught:
        stackexchange.build(path, tmp_path / "o.csv", selection=Selection(), site="x.org")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "o.csv").exists()


def test_a_folder_with_posts_xml_is_read_whatever_lies_beside_it(tmp_path):
    folder = tmp_path / "dump"
    folder.mkdir()
    packed(folder, [question(1), answer(2, 1)], "Posts.xml.gz")
    write_dump(folder, [question(4), answer(9, 4)], "utf-8")
    target = tmp_path / "out.csv"
    stackexchange.build(folder, target, selection=Selection(), site="x.org")
    assert pairs(read_csv(target)) == [(4, 9)]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "the folder holds no dump; give Posts.xml"),
        (["Users.xml"], "the folder holds no dump"),
        (["Posts.xml.gz", "a.7z"], "the folder holds Posts.xml.gz, a.7z; give"),
        (["Posts.xml", "posts.xml"], "the folder holds Posts.xml, posts.xml; give"),
        (["posts.tar.gz", "Posts.xml.zst"], "holds Posts.xml.zst, posts.tar.gz; give"),
        (["Posts.xml.zst", "readme"], "Posts.xml.zst: an archive of this form is not read; give"),
        (["site/a.rar"], "site/a.rar: an archive of this form is not read; give"),
        (["._site.7z", ".git/Posts.xml", "__MACOSX/._a.zip"], "the folder holds no dump"),
        (["a/b/Posts.xml"], "a: the folder holds no dump"),
    ],
)
def test_a_folder_without_one_dump_is_refused_with_what_it_holds(tmp_path, names, message):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(DatasetError, match=message):
        stackexchange.build(tmp_path, tmp_path / "o.csv", selection=Selection(), site="x.org")


@pytest.mark.parametrize("name", ["posts.xml", "Posts.XML", "site/Posts.xml", "A B/posts.xml"])
def test_a_dump_in_any_case_or_in_the_only_folder_is_read(tmp_path, name):
    folder = tmp_path / "dump"
    path = folder / name
    path.parent.mkdir(parents=True)
    write_dump(path.parent, [question(4), answer(9, 4)], "utf-8").rename(path)
    (folder / "readme.txt").touch()
    for other in (".git", "__MACOSX"):
        (folder / other).mkdir()
    (path.parent / "._site.7z").touch()
    (path.parent / "Badges.xml.zst").touch()
    target = tmp_path / "out.csv"
    stackexchange.build(folder, target, selection=Selection(), site="x.org")
    assert pairs(read_csv(target)) == [(4, 9)]


@pytest.mark.parametrize("name", ["a/posts.xml.gz", "POSTS.XML.BZ2", "a/dump.ZIP"])
def test_a_packed_dump_in_any_case_or_in_the_only_folder_is_read(tmp_path, name):
    path = tmp_path / "dump" / name
    path.parent.mkdir(parents=True)
    packed(path.parent, [question(4), answer(9, 4)], path.name, member="site/posts.xml")
    target = tmp_path / "out.csv"
    stackexchange.build(tmp_path / "dump", target, selection=Selection(), site="x.org")
    assert pairs(read_csv(target)) == [(4, 9)]


def test_of_several_folders_none_is_chosen(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_dump(tmp_path / name, [question(4), answer(9, 4)], "utf-8")
    with pytest.raises(DatasetError, match="the folder holds no dump; give Posts"):
        stackexchange.build(tmp_path, tmp_path / "o.csv", selection=Selection(), site="x.org")


@pytest.mark.parametrize(
    "name",
    ["Posts.tar.gz", "a.tar", "a.tgz", "a.TAR.BZ2", "a.txz", "Posts.xml.zst", "a.rar", "a.lz4"],
)
def test_an_archive_of_another_form_is_refused_with_the_forms_that_are_read(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x28\xb5\x2f\xfd")
    with pytest.raises(DatasetError) as caught:
        stackexchange.build(
            tmp_path / name, tmp_path / "o.csv", selection=Selection(), site="x.org"
        )
    assert str(caught.value) == (
        f"{tmp_path / name}: an archive of this form is not read; give Posts.xml, its .gz, .bz2 or "
        ".xz, or the .7z or .zip that holds it"
    )


def test_a_zip_without_posts_xml_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("Users.xml", "<users/>")
    with pytest.raises(DatasetError, match=r"needs exactly one Posts\.xml, has 0"):
        stackexchange.build(
            tmp_path / "a.zip", tmp_path / "o.csv", selection=Selection(), site="x.org"
        )


def test_rows_with_bad_references_are_counted_and_the_dump_goes_on(tmp_path):
    posts = [question(4), answer(9, 4), answer(10, 4), answer(11, 4)]
    dump = write_dump(tmp_path, posts, "utf-8")
    lines = dump.read_text(encoding="utf-8").splitlines(keepends=True)
    for reference, row_id in (("&#65534;", 9), ("&#55357;&#56832;", 10), ("&#x110000;", 11)):
        lines = [
            line.replace('Body="', f'Body="{reference}') if f'Id="{row_id}"' in line else line
            for line in lines
        ]
    dump.write_text("".join(lines), encoding="utf-8")
    target = tmp_path / "out.csv"
    counts = stackexchange.build(dump, target, selection=Selection(), site="x.org")
    assert counts.rejected_by_reason == {"bytes that are no text": 2}
    (row,) = read_csv(target)
    assert row["answer_id"] == "10"
    assert row["answer_body"].startswith("\U0001f600")
