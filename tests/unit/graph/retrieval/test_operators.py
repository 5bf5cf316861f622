"""Operators are terms where they carry meaning, and the punctuation of sentences is none."""

import pytest
from hypothesis import given

from graph.retrieval.terms import tokenize
from tests.fakes.properties import any_text, examples
from tests.fakes.waiting import at_most_cpu_seconds


def operators(markdown):
    """Return the terms of a text that have no letter or digit."""
    return [term for term in tokenize(markdown) if not any(map(str.isalnum, term))]


NAMED = "@ := // ** -> % && |= != ... # $ :: => ?? ?. || == === ++ << >> ~ ^ | & + * / = < > <= += <=> ! [] ? :"


@pytest.mark.parametrize("operator", NAMED.split())
@pytest.mark.parametrize(
    "text",
    [
        "What does the {} operator do?",
        'What does "{}" mean',
        "What does `{}` mean?",
        "The symbol ({}) in Python",
        "Why?\n\nI saw ``{}`` here.",
    ],
)
def test_an_operator_that_a_text_names_is_a_term(text, operator):
    assert operators(text.format(operator)) == [operator]


MORE = "- %>% !~ ->> <<< ~= $? $$ &> !! %% @@ .* =:= :- → ≤ ≠ \u00d7 ÷ ∘ ||| ===> ~~ ->* ::* <: .. ; , ' >& $( ${} *."


@pytest.mark.parametrize("operator", MORE.split())
@pytest.mark.parametrize(
    "text",
    [
        "What does the {} operator do?",
        "The {} sign.",
        "the {}-operator",
        'What does "{}" mean',
        "What does `{}` mean?",
        "Why?\n\nI saw ``{}`` here.",
    ],
)
def test_any_signs_are_an_operator_where_a_text_calls_them_one(text, operator):
    assert operators(text.format(operator)) == [operator]


BETWEEN_SPACES = "%>% !~ ->> <<< ~= $$ &> %% @@ =:= → ≤ ≠ ||| ===>"


@pytest.mark.parametrize("operator", BETWEEN_SPACES.split())
@pytest.mark.parametrize("text", ["What does {} mean?", "x\n\n```\na {} b\n```", "I saw `a {} b`."])
def test_signs_between_spaces_are_an_operator(text, operator):
    assert operators(text.format(operator)) == [operator]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is a//b?", ["//"]),
        ("2**3", ["**"]),
        ("the M@N product", ["@"]),
        ("5%2 in C", ["%"]),
        ("x:=5.", [":="]),
        ("The operator -", ["-"]),
        ("division (// operator) and (= here)", ["//", "="]),
        ("the ( character", ["("]),
        ("The symbols ` and ` in shell", []),
        ("What does the ` character do?", ["`"]),
    ],
)
def test_an_operator_between_operands_or_after_its_kind_counts_in_prose(text, expected):
    assert operators(text) == expected


def test_a_longer_run_of_signs_in_code_counts_whole_and_by_the_operators_in_it():
    assert operators("Why?\n\n    x==-1\n    y->>'z'\n    `a`") == ["==-", "==", "->>", "->"]
    assert operators("Why?\n\n```\na ->> b\n```") == ["->>"]


def test_the_name_of_an_operator_of_r_is_a_term():
    assert "%in%" in tokenize("What does the %in% operator do?")
    assert "%in%" in tokenize("Why `%in%`?")


@pytest.mark.parametrize("name", ["%in%", "%o%", "%dopar%", "%like%"])
@pytest.mark.parametrize(
    "text", ["What is {} in R?", "Why?\n\n```r\nx {} y\n```", "I saw `x {} y`."]
)
def test_the_name_of_an_operator_gives_one_term_in_prose_and_in_code(text, name):
    terms = tokenize(text.format(name))
    assert name in terms
    assert "%" not in terms


def test_a_name_without_spaces_around_it_is_no_operator():
    assert operators("Why?\n\n```\nx%y%z\n```") == ["%"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("a @ b", ["@"]),
        ("a - b", ["-"]),
        ("@property", ["@"]),
        ("if (n := len(a)) > 10:", [":=", ">"]),
        ("a//b", ["//"]),
        ("f(**kwargs)", ["**"]),
        ("def f() -> int", ["->"]),
        ("std::vector<int>", ["::"]),
        ("x=>x?.y??z", ["=>", "?.", "??"]),
        ("a && !b", ["&&", "!"]),
        ("x |= 1", ["|="]),
        ("$name", ["$"]),
        ("#include <x>", ["#"]),
        ("https://example.org/a", []),
        ("f(x, y)", []),
    ],
)
def test_an_operator_in_a_code_span_is_a_term(code, expected):
    assert sorted(operators(f"I saw `{code}`.")) == sorted(expected)
    assert sorted(operators(f"Why?\n\n- > I saw `{code}`, here")) == sorted(expected)


def test_in_fences_operators_of_several_characters_and_rare_ones_are_terms():
    code = "x = a ** b  # power\nf(x) @ y / 2"
    assert operators(f"Why?\n\n```python\n{code}\n```\n\nthen") == ["**", "#", "@"]


@pytest.mark.parametrize(
    "text",
    [
        "Why? Because. It works! One; two: three, four",
        "I tried it...and more.",
        "I tried it ...",
        "How to sort ??",
        "Pourquoi ?",
        "It does not work !!!",
        "> a quoted line\n\nthen text",
        "* one item\n* another",
        "Title\n\n- one\n* two\n+ three\n> quoted\n# Heading\n1. four",
        "read `this`. Then `that`: done?",
        "Python - sort a list",
        "see https://example.org/a//b",
        "mail me@example.org, **bold** and snake_case",
        "and/or, 50%, C++ and C#",
        "C++11, C++/Java and R&D",
        "Thanks :) it works ;-) or not :( :-/ or :| bye",
        "help ?! now !!! ok",
        "Error :- no such file",
        "a .. b , c ; d - e",
        "Values\n\n| name | value |\n| --- | :-: |\n| `x` | text |",
        "Title\n=====\n\n---\n\n***\n\n* * *\n\n- - -",
        "Text\n\n~~~\ncode\n~~~\n\n```\nmore\n```",
        "words -with ~tildes~ and __init__",
        "x\n\n```\n---\n----\nhttp://a.b/c\na[1:-1], f(x, y), 1..2\n```",
        "don't, 'quoted' words (and these) [1].",
        "",
    ],
)
def test_punctuation_of_sentences_and_of_markdown_is_no_operator(text):
    assert operators(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is ::", ["::"]),
        ("what does it mean ?:", ["?:"]),
        ("optional chaining ?.", ["?."]),
        ("walrus :=", [":="]),
        ("> in a shell", [">"]),
        ("C# operator ??", ["??"]),
        ("Haskell operator !!", ["!!"]),
        ("JavaScript operator ...", ["..."]),
        ("What is the operator ;", [";"]),
        ("The symbol : in Python", [":"]),
        ("What is the << operator ??", ["<<"]),
        ("How to overload this operator ?", []),
    ],
)
def test_an_operator_at_the_end_of_a_question_counts(text, expected):
    assert operators(text) == expected


def test_an_operator_counts_once_a_text():
    assert operators("`a // b` and `c // d`, // again") == ["//"]


@pytest.mark.parametrize(
    "piece",
    ["a", "-", ".", "? ", "`", "``a", "[", "\n", "- ", " .", "= ", "#", '"', "` `` ", "://"],
)
def test_a_hundred_thousand_characters_take_no_time(piece):
    with at_most_cpu_seconds(5):
        operators(piece * (100_000 // len(piece)))


@examples(100)
@given(text=any_text)
def test_any_text_gives_short_terms_without_spaces(text):
    assert all(0 < len(term) <= 4 and not term.isspace() for term in operators(text))
