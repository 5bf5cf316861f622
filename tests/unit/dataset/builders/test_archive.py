"""Posts.xml out of a .7z: the eight archives that must be refused, and the one that must not."""

import stat
from zlib import crc32

import pytest

from dataset.builders import archive
from dataset.builders.archive import MEMBER, extract_posts
from graph.support.errors import DatasetError
from tests.fakes.dumps import answer, question, xml

py7zr = pytest.importorskip("py7zr")

DUMP = xml([question(1), answer(2, 1)]).encode()


def pack(tmp_path, members, **options):
    """Write an archive of (name, bytes) and return its path."""
    path = tmp_path / "site.7z"
    with py7zr.SevenZipFile(path, "w", filters=[{"id": py7zr.FILTER_LZMA2}], **options) as file:
        for name, content in members:
            file.writestr(content, name)
    return path


def extract(tmp_path, path):
    folder = tmp_path / "work"
    folder.mkdir()
    return extract_posts(path, folder)


def refusal(tmp_path, path):
    before = set(tmp_path.rglob("*"))
    with pytest.raises(DatasetError) as caught:
        extract(tmp_path, path)
    work = tmp_path / "work"
    assert set(tmp_path.rglob("*")) - before <= {work, work / MEMBER}
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path}: ")


def renamed(path, old, new):
    """Change a member's name in an archive whose header is not packed, all checksums right."""
    content = path.read_bytes()
    at = 32 + int.from_bytes(content[12:20], "little")
    header = content[at:].replace(old.encode("utf-16-le"), new.encode("utf-16-le"))
    assert header != content[at:]
    assert len(header) == len(content[at:])
    start = content[12:28] + crc32(header).to_bytes(4, "little")
    path.write_bytes(
        content[:8] + crc32(start).to_bytes(4, "little") + start + content[32:at] + header
    )


@pytest.mark.parametrize("others", [[], ["Badges.xml", "Users.xml"]])
def test_posts_come_out_of_an_archive_and_nothing_else(tmp_path, others):
    members = [(name, b"<x/>" * 100) for name in others]
    path = pack(tmp_path, [*members[:1], (MEMBER, DUMP), *members[1:]])
    out = extract(tmp_path, path)
    assert out.read_bytes() == DUMP
    assert [entry.name for entry in out.parent.iterdir()] == [MEMBER]


@pytest.mark.parametrize("name", ["posts.xml", "POSTS.XML", "Posts.XML", "dump/Posts.xml"])
def test_posts_in_another_case_or_in_a_folder_come_out_too(tmp_path, name):
    path = pack(tmp_path, [("Users.xml", b"<x/>"), (name, DUMP)])
    out = extract(tmp_path, path)
    assert out.read_bytes() == DUMP
    assert [entry.name for entry in out.parent.iterdir()] == [MEMBER]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../Posts.xml", "leads out of the archive; refused"),
        ("a/../../Posts.xml", "leads out of the archive; refused"),
        ("/etc/Posts.xml", "has an absolute path; refused"),
        ("C:/Posts.xml", "has an absolute path; refused"),
        ("..\\Posts.xml", "leads out of the archive; refused"),
    ],
)
def test_a_member_that_leads_elsewhere_is_refused(tmp_path, name, message):
    member = py7zr.FileInfo(name, 1, 1, True, False, True, False, None, 0)
    assert f"{archive._hostility(member)}; refused" == message


@pytest.mark.parametrize("name", ["../Posts.xml", "/a/Posts.xml"])
def test_an_archive_with_such_a_member_is_refused(tmp_path, name):
    path = tmp_path / "site.7z"
    with py7zr.SevenZipFile(path, "w") as file:
        file.set_encoded_header_mode(False)
        file.writestr(DUMP, MEMBER)
        file.writestr(DUMP, "x" * len(name))
    renamed(path, "x" * len(name), name)
    assert refusal(tmp_path, path).startswith(f"member {name!r} ")
    assert not (tmp_path / MEMBER).exists()


def test_a_link_is_refused(tmp_path):
    (tmp_path / "real").write_text("x", encoding="utf-8")
    link = tmp_path / MEMBER
    link.symlink_to("real")
    assert stat.S_ISLNK(link.lstat().st_mode)
    path = tmp_path / "site.7z"
    with py7zr.SevenZipFile(path, "w") as file:
        file.write(link, MEMBER)
    assert refusal(tmp_path, path) == "member 'Posts.xml' is a link or a device; refused"


@pytest.mark.parametrize("header", [False, True])
def test_an_encrypted_archive_is_refused(tmp_path, header):
    path = tmp_path / "site.7z"
    with py7zr.SevenZipFile(path, "w", password="secret", header_encryption=header) as file:
        file.writestr(DUMP, MEMBER)
    assert refusal(tmp_path, path) == "is encrypted; give an archive without a password"


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = pack(tmp_path, [("Users.xml", bytes(20_000_000)), (MEMBER, DUMP)])
    message = refusal(tmp_path, path)
    assert (
        message
        == f"would unpack to {20_000_000 + len(DUMP)} bytes, more than 200 times its size; refused"
    )
    assert not (tmp_path / "work" / MEMBER).stat().st_size


def test_a_size_above_the_cap_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_BYTES", 100)
    path = pack(tmp_path, [(MEMBER, DUMP)])
    assert refusal(tmp_path, path) == f"would unpack to {len(DUMP)} bytes; refused"


def test_the_cap_holds_while_unpacking_too(tmp_path, monkeypatch):
    path = pack(tmp_path, [(MEMBER, DUMP * 50)])
    monkeypatch.setattr(archive, "_declared_size", lambda *_: len(DUMP))
    assert refusal(tmp_path, path) == "Posts.xml is longer than the archive says; refused"
    assert (tmp_path / "work" / MEMBER).stat().st_size <= len(DUMP)


@pytest.mark.parametrize("cut", [0, 20, 40, -1, -20])
def test_a_truncated_archive_is_refused(tmp_path, cut):
    path = pack(tmp_path, [(MEMBER, DUMP)])
    path.write_bytes(path.read_bytes()[:cut])
    assert refusal(tmp_path, path).startswith("damaged or truncated archive: ")


def test_damage_inside_is_refused(tmp_path):
    path = pack(tmp_path, [(MEMBER, DUMP)])
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(content)
    assert refusal(tmp_path, path).startswith("damaged or truncated archive: ")


@pytest.mark.parametrize(
    ("names", "count"),
    [(["Users.xml"], 0), ([MEMBER, MEMBER], 2), (["a/Posts.xml", MEMBER], 2), ([], 0)],
)
def test_exactly_one_posts_xml_is_needed(tmp_path, names, count):
    path = pack(tmp_path, [(name, DUMP) for name in names])
    message = refusal(tmp_path, path)
    assert message == (
        f"needs exactly one member Posts.xml, has {count}; its members: {', '.join(names)}"
    )


def test_a_full_disk_is_seen_beforehand(tmp_path, monkeypatch):
    path = pack(tmp_path, [(MEMBER, DUMP)])
    monkeypatch.setattr(
        archive.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 10})
    )
    with pytest.raises(DatasetError, match=rf"needs {len(DUMP)} bytes and 10 are free; make room"):
        extract(tmp_path, path)
