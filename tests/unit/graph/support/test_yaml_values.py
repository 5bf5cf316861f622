"""YAML from people: plain values, and a reason for everything else."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from graph.support.yaml_values import parse_yaml
from tests.fakes.properties import any_text, examples

BILLION_LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


def reason_against(text):
    """Return the reason why a text is refused, None if it is read; any other error is raised."""
    try:
        parse_yaml(text)
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8", 8),
        ("0x1f", 31),
        (".5", 0.5),
        ("true", True),
        ("~", None),
        ("", None),
        ("[question, answer]", ["question", "answer"]),
        ("a: {b: 1}\nc: [2]", {"a": {"b": 1}, "c": [2]}),
        ("2024-99-99", "2024-99-99"),
        ("2024-01-01", "2024-01-01"),
        ("'*a & !b'", "*a & !b"),
        ("\ufeff8", 8),
    ],
)
def test_plain_values_are_read(text, value):
    assert parse_yaml(text) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *(
            (f"{tag} x", "tags (!) are not allowed")
            for tag in ("!!bool", "!!timestamp", "!!int", "!!float", "!!null", "!!binary", "!!omap")
        ),
        ("!!set {a}", "tags (!) are not allowed"),
        ("!!python/object/apply:os.system [ls]", "tags (!) are not allowed"),
        ("!mine x", "tags (!) are not allowed"),
        (BILLION_LAUGHS, "anchors and aliases (& and *) are not allowed"),
        ("&a x", "anchors and aliases (& and *) are not allowed"),
        ("[*a]", "anchors and aliases (& and *) are not allowed"),
        ("{a: &x 1, b: *x}", "anchors and aliases (& and *) are not allowed"),
        ("a: 1\na: 2", "the key 'a' stands twice"),
        ("a: {b: 1, c: 2, 'b': 3}", "the key 'b' stands twice"),
        ("[{1: x, 2: y, 1: z}]", "the key 1 stands twice"),
        ("{true: x, yes: y}", "the key True stands twice"),
        ("<<: {a: 1}\na: 2", "the key 'a' stands twice"),
        ("[" * 21 + "]" * 21, "the nesting is too deep"),
        ("[" * 100_000, "the nesting is too deep"),
        ("- " * 100_000, "the nesting is too deep"),
        ("{a: " * 5000, "the nesting is too deep"),
        ("9" * 5000, "a number has more than 100 digits"),
        ("0x" + "f" * 5000, "a number has more than 100 digits"),
        ("1:" * 2000 + "1", "a number has more than 100 digits"),
        ('"\\ud800"', "a text has half of a surrogate pair"),
        ('"\\Uffffffff"', "Python int too large to convert to C int"),
        ("{[1]: 2}", "found unhashable key (line 1)"),
        ("[", "expected the node content, but found '<stream end>' (line 1)"),
        ("a: 1\n b: 2", "mapping values are not allowed here (line 2)"),
        ("1\n---\n2", "but found another document (line 2)"),
    ],
    ids=lambda value: ascii(value[:30]),
)
def test_everything_else_has_a_reason(text, reason):
    assert reason_against(text) == reason


@pytest.mark.parametrize("text", ["a\0b", "\udc80", "\x1b[2J", "\ufffe", "%YAML 9.9\n--- 1", "`"])
def test_what_is_no_yaml_is_one_line(text):
    with pytest.raises(ValueError, match=r"\A[^\n\x1b]+\Z"):
        parse_yaml(text)


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@examples(100)
@given(value=plain)
def test_plain_values_survive(value):
    class NoAliases(yaml.SafeDumper):
        def ignore_aliases(self, data):
            return True

    assert parse_yaml(yaml.dump(value, Dumper=NoAliases)) == value


@examples(300)
@given(text=any_text | st.text(alphabet="!&*{}[]:-,'\"\\#%@?|>~ \n0b1xe.ae<", max_size=30))
def test_no_text_raises_anything_else(text):
    reason = reason_against(text)
    assert reason is None or (reason and "\n" not in reason)
