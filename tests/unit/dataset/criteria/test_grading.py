"""The criteria of a question: shares of points that were worked out by hand."""

import json

import pytest

from dataset.criteria import NotScorable, patterns, read_criteria

THIRD, HALF = pytest.approx(1 / 3), 0.5
LOOP = "the loop runs one task"


def score(criteria, answer):
    # As a dataset holds them: from JSON.
    return read_criteria(json.loads(json.dumps(criteria))).score(answer)


def keywords(*rules, **bounds):
    return {"keywords": list(rules), **bounds}


def pattern(text):
    return {"content": text, "regex": True}


def conditional(text, condition):
    return {"content": {"content": text, "cond": condition}}


def blanks(template, *targets, **fields):
    return {"blank_filling": {"template": template, "targets": list(targets), **fields}}


def similarity(*references, **fields):
    return {"similarity": [{"metric": "rouge1", "references": list(references), **fields}]}


@pytest.mark.parametrize(
    ("criteria", "answer", "expected"),
    [
        # One point for each keyword that is a part of the answer.
        (keywords("await", "gather"), "you await it", HALF),
        (keywords("await", "gather"), "await gather(a, b)", 1.0),
        (keywords("await", "gather"), "use threads", 0.0),
        # Case counts, unless to_lower is set at the rule itself.
        (keywords("Lock", {"content": "Queue", "to_lower": True}), "a lock or a QUEUE", HALF),
        (keywords({"content": {"content": "Queue", "to_lower": True}}), "a queue", 0.0),
        # 3 of 3 + 1 points; the weight inside the content is not looked at.
        (keywords({"content": "lock", "weight": 3}, "queue"), "a lock", 0.75),
        (keywords({"content": {"content": "lock", "weight": 3}}, "queue"), "a lock", HALF),
        # A pattern counts as one inside the content alone.
        (keywords({"content": pattern(r"sleep\(\s*0")}), "sleep( 0)", 1.0),
        (keywords({"content": r"sleep.", "regex": True}), "sleep(", 0.0),
        (keywords({"content": {"or": [pattern("jo+in"), "daemon"]}}), "a joooin", 1.0),
        (keywords({"content": {"regex": True, "and": ["a+b", "c.d"]}}), "aab c-d", 1.0),
        # to_lower is applied to the pattern too: \S becomes \s.
        (keywords({"content": pattern(r"a\Sb"), "to_lower": True}), "a b", 1.0),
        (keywords({"content": pattern(r"a\Sb"), "to_lower": True}), "A-B", 0.0),
        # and, or, and both.
        (keywords({"content": {"and": ["thread", {"or": ["join", "daemon"]}]}}), "thread", 0.0),
        (
            keywords({"content": {"and": ["thread", {"or": ["join", "daemon"]}]}}),
            "daemon thread",
            1.0,
        ),
        (keywords({"content": {"content": None, "or": ["join", "daemon"]}}), "daemon", 1.0),
        # A wrong text takes its weight away: (1 + 1 - 1) / 2, and below 0 there is nothing.
        (keywords({"content": "global", "neg": True}, "a", "b"), "a b global", HALF),
        (keywords({"content": "global", "neg": True, "weight": 5}, "a"), "a global", 0.0),
        (keywords({"content": "global", "neg": True}, "a", min_score=0.5), "global", HALF),
        # max_score is the full score: 1 of 2, and 3 of 2 is 2 of 2.
        (keywords("a1", "b1", "c1", max_score=2.0), "b1", HALF),
        (keywords("a1", "b1", "c1", max_score=2.0), "a1 b1 c1", 1.0),
        # A condition on the outcome of the rule before.
        (
            keywords("deque", conditional("maxlen", "context[-1].startswith('match')")),
            "maxlen",
            0.0,
        ),
        (
            keywords("deque", conditional("maxlen", "context[-1].startswith('match')")),
            "deque maxlen",
            1.0,
        ),
        (
            keywords(
                "a1", "b1", conditional("c1", "context[0]=='match' or not context[1]=='match'")
            ),
            "b1 c1",
            THIRD,
        ),
        (
            keywords("a1", "b1", conditional("c1", 'ans and context[-2] != "match"')),
            "b1 c1",
            pytest.approx(2 / 3),
        ),
        # An empty answer is no answer.
        (keywords("", min_score=1.0), "", 0.0),
    ],
)
def test_keywords_by_hand(criteria, answer, expected):
    assert score(criteria, answer) == expected


TEMPLATE = "First call [blank] on the queue, and afterwards [blank] every worker thread."


@pytest.mark.parametrize(
    ("criteria", "answer", "expected"),
    [
        # The marks ' \" ` and spaces around the text of a blank do not count.
        (
            blanks(TEMPLATE, "join()", "stop"),
            "First call `join()` on the queue, and afterwards stop every worker thread.",
            1.0,
        ),
        (
            blanks(TEMPLATE, "join()", "stop"),
            "First call close() on the queue, and afterwards stop every worker thread.",
            HALF,
        ),
        # A right text among many others, but less than four fifths of the template.
        (
            blanks(TEMPLATE, "join()", "stop"),
            "First call join() on the queue, and you are done.",
            0.0,
        ),
        # 3 of 4 points: Close in any case, halt by a pattern of the whole text.
        (
            blanks(
                TEMPLATE,
                {"content": ["join", "Close"], "to_lower": True, "weight": 3},
                {"content": ["stop", pattern("h.lt")]},
            ),
            "First call CLOSE on the queue, and afterwards halts every worker thread.",
            0.75,
        ),
        # A part of the text is enough with substr_match.
        (
            blanks(TEMPLATE, {"content": "join", "substr_match": True}, "x"),
            "First call q.join() on the queue, and afterwards stop every worker thread.",
            HALF,
        ),
        # The rest of the template is the prefix.
        (
            blanks(TEMPLATE, "join()", "stop", prefix="First call "),
            "join() on the queue, and afterwards stop every worker thread.",
            1.0,
        ),
        (
            blanks("Use it as ?? here.", "deque", blank_str="??", escape=""),
            "Use it as **deque** here.",
            0.0,
        ),
        (
            blanks("Use it as ?? here.", "deque", blank_str="??", escape=" *"),
            "Use it as **deque** here.",
            1.0,
        ),
        # The second target counts only after a wrong first one.
        (
            blanks(
                TEMPLATE,
                "join()",
                {
                    "content": [
                        {"content": "stop", "cond": "grading_details[-1].startswith('unmatched')"}
                    ]
                },
            ),
            "First call join() on the queue, and afterwards stop every worker thread.",
            HALF,
        ),
        # The grader compares with the keys of a mapping.
        (
            blanks("Use a [blank] for this.", {"content": {"or": ["deque", "list"]}}),
            "Use a deque for this.",
            0.0,
        ),
        (
            blanks("Use a [blank] for this.", {"content": {"or": ["deque", "list"]}}),
            "Use a or for this.",
            1.0,
        ),
    ],
)
def test_blanks_by_hand(criteria, answer, expected):
    assert score(criteria, answer) == expected


@pytest.mark.parametrize(
    ("criteria", "answer", "expected"),
    [
        # Precision 3 / 3, recall 3 / 5, so F = .75: (.75 - .25) / (1 - .25).
        (similarity(LOOP, min_score=0.25, max_score=1), "the loop runs", pytest.approx(2 / 3)),
        # The default scale ends at .53, and begins at .3: 1 of 5 words gives F = .2.
        (similarity(LOOP), "the loop runs", 1.0),
        (similarity(LOOP), "the old snake slept here", 0.0),
        # It is cut to 0 to 1 before a keyword's point is added.
        ({**similarity(LOOP), "keywords": ["snake"]}, "the loop runs", HALF),
        ({**similarity(LOOP), "keywords": ["snake"]}, "the old snake slept here", HALF),
        # The best of several references; words are not stemmed.
        (similarity("no", LOOP, min_score=0, max_score=1), LOOP, 1.0),
        (similarity("loops", min_score=0, max_score=1), "loop", 0.0),
        # 2 * 2 / 3 of 2, and a keyword: (4 / 3 + 1) / 3.
        (
            {**similarity(LOOP, min_score=0.25, max_score=1, weight=2), "keywords": ["loop"]},
            "the loop runs",
            pytest.approx(7 / 9),
        ),
    ],
)
def test_similarity_by_hand(criteria, answer, expected):
    assert score(criteria, answer) == expected


NEEDS_CODE = "needs a Python function of the benchmark"


@pytest.mark.parametrize(
    ("criteria", "reason"),
    [
        ({"unit_test": {"tests": ["t.py"]}}, "needs unit tests"),
        # The share of all points cannot be known from a part of them.
        ({"unit_test": {"tests": ["t.py"]}, "keywords": ["a"]}, "needs unit tests"),
        ({"customized": {"module": "m", "func": "f"}}, NEEDS_CODE),
        (keywords("a", {"post_handler": {"module": "m", "func": "f"}}), NEEDS_CODE),
        (blanks("a [blank] b", "x", post_handler={"module": "m"}), NEEDS_CODE),
        ([], "the criteria are no mapping"),
        ({}, "there are no criteria"),
        ({"max_score": 2}, "there are no criteria"),
        ({"keyword": ["a"]}, "a kind of criteria is unknown"),
        ({"keywords": None}, "keywords is no list"),
        (keywords(3), "a keyword is neither a text nor a mapping"),
        (keywords({"or": ["a"]}), "a keyword has no content"),
        (keywords({"content": {"x": "a"}}), "a keyword has no content"),
        (keywords({"content": 3.5}), "a content that is neither a text nor a mapping"),
        (keywords({"content": {"or": "ab"}}), "the or of a keyword is no list"),
        (keywords({"content": "a", "weight": "heavy"}), "a weight is no number"),
        (keywords({"content": "a", "weight": -1}), "a weight is negative"),
        (keywords({"content": pattern("a(")}), "a regular expression cannot be read"),
        (keywords({"content": pattern("(?R)")}), "a regular expression cannot be read"),
        (keywords({"content": pattern("[[:alpha:]]")}), "a class such as"),
        (keywords({"content": pattern("a" * 5000)}), "a regular expression is too long"),
        (keywords("a", max_score="2x"), "max_score is no number"),
        (keywords(conditional("a", "__import__('os')")), "a condition is none"),
        (keywords(conditional("a", "context[-1].startswith(*['m'])")), "a condition is none"),
        (keywords(conditional("a", "open")), "a condition is none"),
        (keywords(conditional("a", "'m' * 9**9")), "a condition is none"),
        (keywords(conditional("a", "context[")), "a condition is none"),
        (keywords(conditional("a", "(" * 240 + "ans" + ")" * 240)), "a condition is none"),
        (keywords(conditional("a", 3)), "a condition is none"),
        (blanks("a [blank] b"), "another number of blanks than of targets"),
        (blanks("[blank]", "x"), "nothing but blanks"),
        (blanks("a [blank]", "x"), "ends with a blank"),
        (blanks("a [blank] b", {"content": [3]}), "a right text of a blank is no text"),
        (blanks("a [blank] b", 3), "the target of a blank is neither"),
        ({"blank_filling": {"targets": []}}, "the template is no text"),
        (similarity({"path": "lost.txt"}), "a reference of a similarity is no text"),
        (similarity(), "a similarity has no reference"),
        (similarity("a", metric="bleu"), "a similarity is of an unknown kind"),
        (similarity("a", min_score=0.51, max_score=0.51), "a scale without length"),
    ],
)
def test_criteria_that_cannot_be_a_score_are_unscored_with_a_reason(criteria, reason):
    with pytest.raises(NotScorable) as refused:
        read_criteria(criteria)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("criteria", "answer", "reason"),
    [
        (keywords(conditional("a", "context[-1] == 'match'")), "a", "an outcome that there is not"),
        (keywords({"content": "a", "weight": 0}), "a", "the full score is 0"),
        (blanks("some [blank] text", "x"), "y" * 10**7, "too long to align"),
    ],
)
def test_an_answer_that_the_criteria_cannot_score_is_unscored(criteria, answer, reason):
    with pytest.raises(NotScorable, match=reason):
        score(criteria, answer)


@pytest.mark.parametrize("hostile", ["(a|aa)+$", "(a|a)*$", "(?:(?:a+)+)+$"])
def test_a_pattern_without_end_is_stopped(monkeypatch, hostile):
    monkeypatch.setattr(patterns, "SECONDS", 0.01)
    with pytest.raises(NotScorable, match="takes too long"):
        score(keywords("b", {"content": pattern(hostile)}), "a" * 4_000 + "b")


def test_braces_that_repeat_nothing_are_plain_as_in_python():
    assert score(keywords({"content": pattern("a{e}")}), "b") == 0.0
    assert score(keywords({"content": pattern(r"f{name}\{")}), "f{name}{") == 1.0
    assert score(keywords({"content": pattern("^a{2,3}b{1}$")}), "aab") == 1.0


def test_line_ends_of_windows_are_line_feeds():
    assert score(keywords("one\ntwo"), "one\r\ntwo") == 1.0


def test_the_conditions_of_a_pattern_see_what_a_blank_was_compared_with():
    target = {
        "content": "JOIN",
        "cond": "response_str == 'join' and ans_str == 'join' and not ans_re",
    }
    criteria = blanks("Please call [blank] on it.", {"content": [target], "to_lower": True})
    assert score(criteria, "Please call Join on it.") == 1.0
