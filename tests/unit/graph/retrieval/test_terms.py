"""Terms: names of code whole and in parts, words by their stem, words without a meaning dropped."""

from threading import Thread

import pytest
from hypothesis import example, given

from graph.retrieval import letters, terms
from graph.retrieval.terms import stop_words, tokenize
from tests.fakes.properties import any_text, examples
from tests.fakes.waiting import at_most_cpu_seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How to Copy a LIST?", ["copi", "list"]),
        ("Copying copies, copied lists", ["copi", "copi", "copi", "list"]),
        ("os.path.join(a)", ["os.path.join", "os", "path", "join"]),
        ("snake_case", ["snake_case", "snake", "case"]),
        ("__init__", ["__init__", "init"]),
        ("camelCase", ["camelcas", "camel", "case"]),
        ("getHTTPResponse", ["gethttprespons", "http", "respons"]),
        ("my.camelCase", ["my.camelcase", "camelcas", "camel", "case"]),
        ("scikit-learn", ["scikit-learn", "scikit", "learn"]),
        ("node.js", ["node.js", "node", "js"]),
        ("x: 3.14; y=1e5.", ["x", "3.14", "14", "y", "1e5"]),
        ("utf8 python-3.x", ["utf8", "utf", "python-3.x", "python"]),
        ("...", []),
        ("", []),
    ],
)
def test_names_are_kept_whole_and_in_parts(text, expected):
    assert tokenize(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C++ and C# differ from .NET and F#", ["c++", "c#", "differ", ".net", "net", "f#"]),
        ("ASP.NET", ["asp.net", "asp", "net"]),
        ("c", ["c"]),
        ("Go", ["go"]),
        ("a .gitignore", [".gitignore", "gitignor"]),
        ("list...NET, list..net and list\u2026net", ["list", "net"] * 3),
        ("use --no-cache-dir -m", ["--no-cache-dir", "cach", "dir", "-m"]),
        ("x --y", ["x", "--y"]),
        ("a - b, x-y", ["b", "x-y"]),
    ],
)
def test_names_that_end_or_begin_with_signs_are_terms(text, expected):
    assert tokenize(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("KeyError: 'x'", ["keyerror", "key", "x"]),
        ("ModuleNotFoundError", ["modulenotfounderror", "modul", "found"]),
        (
            "java.lang.NullPointerException",
            [
                "java.lang.nullpointerexception",
                "java",
                "lang",
                "nullpointerexcept",
                "null",
                "pointer",
                "except",
            ],
        ),
    ],
)
def test_classes_of_errors_are_kept_whole_and_in_parts(text, expected):
    assert tokenize(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("naïve Größe ÉTÉ", ["naïv", "grösse", "été"]),
        ("한국어 리스트", ["한국어", "리스트"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("שָׁלוֹם", ["שָׁלוֹם"]),
        ("ދިވެހި", ["ދިވެހި"]),
        ("བོད་ཡིག", ["བོད", "ཡིག"]),
        ("Bücher Éclair", ["bücher", "éclair"]),
        ("имя_файла", ["имя_файла", "имя", "файла"]),
        ("\ud800x", ["x"]),
        ("x\x00y", ["x", "y"]),
    ],
)
def test_letters_of_every_script_are_letters(text, expected):
    assert tokenize(text) == expected


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("STRASSE straße", "Straße STRASSE"),
        ("e\u0301te\u0301 nai\u0308ve", "été naïve"),
        ("\uff23\uff0b\uff0b \uff4c\uff49\uff53\uff54", "C++ list"),
        ("ﾘｽﾄ", "リスト"),
        ("İSTANBUL \u0131spanak", "istanbul ISPANAK"),
        ("ÄNDERN", "ändern"),
        ("ΟΔΟΣ", "οδος"),
        ("ﬁle of x²", "file of x2"),
        ("co\u00adpy a\u200bb \ufefflist", "copy ab list"),
        ("имя\u0306", "имя\u0306".upper()),
    ],
)
def test_forms_of_the_same_text_give_the_same_terms(text, same):
    assert tokenize(text) == tokenize(same) != []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("日本語", ["日本", "本語"]),
        ("字", ["字"]),
        ("Pythonで辞書を", ["python", "で辞", "辞書", "書を"]),
        ("排序 list 列表", ["list", "排序", "列表"]),
        ("เรียง", ["เร", "รี", "ีย", "ยง"]),
        ("ພາສາ", ["ພາ", "າສ", "ສາ"]),
        ("𠮷野家", ["𠮷野", "野家"]),
        ("リスト・ソート", ["リス", "スト", "ソー", "ート"]),
    ],
)
def test_scripts_without_spaces_give_pairs_of_characters(text, expected):
    assert tokenize(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How does it work?", ["stop:how", "stop:does", "stop:it", "stop:work"]),
        ("IF Else", ["stop:if", "stop:if", "stop:else", "stop:else"]),
        ("copy a list of problems", ["stop:a", "stop:of"]),
        (
            "if-else, ifThen.so",
            ["stop:if", "stop:if", "stop:else", "stop:else"]
            + ["stop:if"] * 2
            + ["stop:then", "stop:so"],
        ),
        ("if-x, get_list", []),
        ("//", []),
    ],
)
def test_stop_words_are_the_words_that_are_dropped_and_keywords_count_twice(text, expected):
    assert stop_words(text) == expected


def test_a_long_name_counts_by_its_parts_and_a_blob_does_not_count():
    package = "org.springframework.web.servlet.mvc.method.annotation.support"
    name = f"{package}.RequestMappingHandlerAdapter"
    assert len(name) > 80
    terms_of_text = tokenize(name)
    assert terms_of_text[:3] == ["org", "springframework", "web"]
    assert terms_of_text[-5:] == [
        "requestmappinghandleradapt",
        "request",
        "map",
        "handler",
        "adapt",
    ]
    assert tokenize("x" * 81) == []
    assert tokenize("x" * 80) == ["x" * 80]


def test_what_is_remembered_is_short(monkeypatch):
    terms._terms.cache_clear()
    for number in range(3):
        tokenize(f"{number}" * 100_000)
        tokenize(f"{number}x." * 100_000)
    assert terms._terms.cache_info().currsize == 3


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "-",
        "--a",
        ".",
        "a.",
        "a-",
        "aB",
        "_",
        "word ",
        "C++",
        "1",
        "#",
        "ß.É",
        "\ud800",
        "日",
        "`",
        "\n",
        "。",
        "\u0301",
    ],
)
def test_a_hundred_thousand_characters_take_no_time(piece):
    with at_most_cpu_seconds(5):
        tokenize(piece * (100_000 // len(piece)))


@examples(100)
@given(text=any_text)
@example("İ ǅ ﬁ ²")
def test_any_text_gives_short_terms_in_lower_case_and_the_same_ones_again(text):
    terms_of_text = tokenize(text)
    assert all(0 < len(term) <= 160 and not term.isspace() for term in terms_of_text)
    assert all(term == letters.fold(term) for term in terms_of_text)
    assert tokenize(text) == terms_of_text
    assert tokenize(f"{text} ") == terms_of_text


def test_threads_do_not_disturb_each_other():
    text = " ".join(f"running{number} easilyFound{number} generalizations" for number in range(300))
    expected = tokenize(text)
    terms._terms.cache_clear()
    terms_of_text = []
    threads = [Thread(target=lambda: terms_of_text.append(tokenize(text))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert terms_of_text == [expected] * 4
