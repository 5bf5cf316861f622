"""Reading Posts.xml: hostile, damaged and odd files are one line, or cost one row."""

import pytest

from dataset.builders import dump
from dataset.builders.dump import read_dump
from dataset.builders.post_parsing import DAMAGED
from graph.support.errors import DatasetError
from tests.fakes.dumps import HEAD, TAIL, line, question, xml
from tests.fakes.waiting import at_most_cpu_seconds


def read(tmp_path, content, encoding="utf-8"):
    path = tmp_path / "Posts.xml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    sizes = []
    rows = list(read_dump(path, sizes.append))
    assert sum(sizes) == path.stat().st_size
    return rows


def refusal(tmp_path, content):
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, content)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{tmp_path}/Posts.xml: ")
    return message.removeprefix(f"{tmp_path}/Posts.xml: ")


LAUGHS = '<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "prolog",
    [
        f"<!DOCTYPE posts [{LAUGHS}]>",
        '<!DOCTYPE posts [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE posts SYSTEM "http://127.0.0.1:9/x.dtd">',
        "<!-- a --><?b c?>\n <!DOCTYPE posts>",
        "<!doctype posts>",
    ],
)
def test_any_doctype_is_refused(tmp_path, prolog):
    for start in ("", '<?xml version="1.0"?>\n'):
        content = f'{start}{prolog}<posts><row Id="1" Body="&i;&x;"/></posts>'
        for encoding in ("utf-8", "utf-16"):
            message = refusal(tmp_path, content.encode(encoding))
            assert message == "has a DOCTYPE, which no dump has; refused"


def test_a_doctype_further_down_is_no_xml(tmp_path):
    message = refusal(tmp_path, HEAD + "<!DOCTYPE posts [<!ENTITY a 'b'>]>" + TAIL)
    assert message.startswith("damaged or truncated XML at line 3")


def test_no_entity_but_the_five_of_xml_is_read(tmp_path):
    rows = read(tmp_path, '<posts><row Id="&lt;&gt;&amp;&quot;&apos;"/><row Id="&a;b&"/></posts>')
    assert rows == [{"Id": "<>&\"'"}, {"Id": f"{DAMAGED}a;b{DAMAGED}"}]


@pytest.mark.parametrize("cut", [-1, -8, -30, 120])
def test_a_truncated_dump_is_refused(tmp_path, cut):
    message = refusal(tmp_path, xml([question(1), question(2)])[:cut])
    assert message.startswith("damaged or truncated XML at line ")


@pytest.mark.parametrize(
    "content", ["", "no xml", "<users></users>", "<postscript></postscript>", "<?xml", "<!-- x"]
)
def test_what_is_no_dump_is_refused(tmp_path, content):
    assert refusal(tmp_path, content) == (
        "does not start with <posts>; give the Posts.xml of a dump"
    )


def test_a_hostile_prolog_is_refused_at_once(tmp_path):
    with at_most_cpu_seconds(10):
        refusal(tmp_path, "<?a?>" * 100_000 + "<!--")


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252"]
)
def test_every_usual_encoding_is_read(tmp_path, encoding):
    post = question(1, Title="naïve é\u00a0")
    declared = {"latin-1": "iso-8859-1", "cp1252": "windows-1252"}.get(encoding, "utf-8")
    content = xml([post]).replace('encoding="utf-8"', f'encoding="{declared}"')
    assert read(tmp_path, content, encoding) == [post]


def test_utf_16_keeps_characters_beyond_16_bits(tmp_path):
    post = question(1, Title="😀 😀")
    assert read(tmp_path, xml([post]), "utf-16") == [post]


def test_an_unknown_encoding_is_refused(tmp_path):
    for name in ("zlib_codec", "ebcdic-x", "utf-32"):
        message = refusal(tmp_path, f'<?xml version="1.0" encoding="{name}"?><posts/>')
        assert message == f"encoding '{name}' is not supported; convert it to UTF-8 with iconv"


@pytest.mark.parametrize(
    "bad", [b"\0", b"\x1b", b"\xff", b"\xed\xa0\x80", b"&#0;", b"&#x1F;", b"&#xD83D;", b"&#x00B;"]
)
def test_bytes_that_are_no_text_cost_their_row_alone(tmp_path, bad):
    content = xml([question(1), question(2, Title="X"), question(3)]).encode()
    rows = read(tmp_path, content.replace(b'"X"', b'"' + bad + b'"'))
    assert [row["Id"] for row in rows] == ["1", "2", "3"]
    assert [DAMAGED in row["Title"] for row in rows] == [False, True, False]


@pytest.mark.parametrize("reference", ["&#x1;", "&#xA;", "&lt;", "&#128512;", "&#x1F600;"])
def test_a_reference_across_two_reads_is_read_as_one(tmp_path, monkeypatch, reference):
    expected = {"&#x1;": DAMAGED, "&#xA;": "\n", "&lt;": "<"}.get(reference, "😀")
    for chunk in range(1, 9):
        monkeypatch.setattr(dump, "_CHUNK", 90 + chunk)
        content = f'<posts><row Id="{"7" * 70}{reference}" Title="a" /></posts>'
        assert read(tmp_path, content) == [{"Id": "7" * 70 + expected, "Title": "a"}]


def test_any_size_of_reads_gives_the_same_rows(tmp_path, monkeypatch):
    posts = [question(n, Title="é😀&<>\n" * n) for n in range(1, 6)]
    for chunk in (200, 257, 1000):
        monkeypatch.setattr(dump, "_CHUNK", chunk)
        assert read(tmp_path, xml(posts)) == posts
        assert read(tmp_path, xml(posts), "utf-16") == posts


def test_a_field_of_10_mb_is_read_whole(tmp_path):
    body = ("x" * 999 + "\n") * 11_000
    assert len(body) == 11_000_000
    rows = read(tmp_path, xml([question(1, Body=body), question(2)]))
    assert rows[0]["Body"] == body
    assert rows[1]["Id"] == "2"


def test_an_unclosed_quote_is_refused(tmp_path, monkeypatch):
    content = HEAD + line(question(1)) + '<row Id="2 />\n' + line(question(3)) + TAIL
    assert refusal(tmp_path, content).startswith("damaged or truncated XML at line ")
    monkeypatch.setattr(dump, "_MAX_MARKUP", 2_000_000)
    message = refusal(tmp_path, HEAD + '<row Id="' + "x" * 5_000_000)
    assert message.endswith(" characters without a new tag; is a quote not closed?")


def test_deep_nesting_is_refused(tmp_path):
    message = refusal(tmp_path, "<posts>" + "<a>" * 100_000)
    assert message.startswith("damaged or truncated XML at line 1: ")


def test_elements_that_are_no_rows_are_not_lost(tmp_path):
    content = '<posts><!-- c --><row Id="1"/>text<other Id="2"/><?p?><row Id="3"/></posts>'
    assert read(tmp_path, content) == [{"Id": "1"}, {}, {"Id": "3"}]


def test_a_missing_dump_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(read_dump(tmp_path / "none.xml", lambda count: None))


@pytest.mark.parametrize(
    "pair",
    [
        "&#55357;&#56832;",
        "&#xD83D;&#xDE00;",
        "&#xd83d;&#xde00;",
        "&#55357;&#xDE00;",
        "&#055357;&#x0DE00;",
        "&#128512;",
        "&#x1F600;",
    ],
)
def test_an_emoji_as_two_references_is_the_emoji(tmp_path, pair):
    rows = read(tmp_path, f'{HEAD}<row Id="1" Body="a {pair}{pair} b"/>{TAIL}')
    assert rows == [{"Id": "1", "Body": "a \U0001f600\U0001f600 b"}]


@pytest.mark.parametrize(
    "reference",
    [
        *(
            "&#65534;",
            "&#65535;",
            "&#xFFFE;",
            "&#1114112;",
            "&#x110000;",
            "&#99999999999999999999;",
        ),
        *("&#55357;", "&#56832;", "&#xD83D;", "&#xDE00;", "&#56832;&#55357;", "&#55357;&#128512;"),
        *("&#55357; &#56832;", "&#0;", "&#11;", "&#x1F;", "&#;", "&#x;", "&#12a;", "&#X41;"),
        *("&#65 ;", "&#-1;", "&#65", "&#" + "9" * 5000 + ";"),
    ],
)
def test_a_reference_to_no_character_costs_its_row_alone(tmp_path, reference):
    body = '<row Id="2" Body="good"/>'
    rows = read(tmp_path, f'{HEAD}<row Id="1" Body="a{reference}b"/>{body}{TAIL}')
    assert [row["Id"] for row in rows] == ["1", "2"]
    assert [DAMAGED in row["Body"] for row in rows] == [True, False]


@pytest.mark.parametrize("number", [9, 10, 13, 32, 65, 0xD7FF, 0xE000, 0xFFFD, 0x10000, 0x10FFFF])
@pytest.mark.parametrize("form", ["&#{};", "&#x{:x};", "&#x{:X};", "&#00{};", "&#x00{:x};"])
def test_every_reference_that_xml_allows_is_read(tmp_path, number, form):
    rows = read(tmp_path, f'{HEAD}<row Id="1" Body="a{form.format(number)}b"/>{TAIL}')
    assert rows == [{"Id": "1", "Body": f"a{chr(number)}b"}]


def test_a_pair_that_a_chunk_cuts_anywhere_is_the_emoji(tmp_path, monkeypatch):
    content = f'{HEAD}<row Id="1" Body="{"&#55357;&#56832;&#10;&lt;" * 20}"/>{TAIL}'
    for size in range(len(HEAD) + 20, len(HEAD) + 45):
        monkeypatch.setattr(dump, "_CHUNK", size)
        assert read(tmp_path, content) == [{"Id": "1", "Body": "\U0001f600\n<" * 20}]
