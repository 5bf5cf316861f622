"""Labels of turns: where the own label ends, which role a line names, and what is a setting."""

import pytest

from nodes.labels import is_setting, own_label_end, role_of


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Assistant: Use a dict.", "Assistant:"),
        ("**Answer:** Use a dict.", "**Answer:**"),
        ("**Answer**: Use a dict.", "**Answer**:"),
        ("[Assistant]: Use a dict.", "[Assistant]:"),
        ("Final answer: 42", "Final answer:"),
        ("AI: Use a dict.", "AI:"),
        ("A: Use a dict.", "A:"),
        ("### Response:\nUse a dict.", "### Response:"),
        ("## Answer\n\nUse a dict.", "## Answer\n"),
        ("assistant\nUse a dict.", "assistant\n"),
        ("assistant\nimport os, sys", "assistant\n"),
        ("Answer\nUse a dict.", "Answer\n"),
        ("Answer\n\nuse a dict.", "Answer\n"),
        ("**Answer**\nUse a dict.", "**Answer**\n"),
        ("Answer\nis a class of the module.", ""),
        ("Assistant\n and user are roles.", ""),
        ("**Answer**\nis a class of the module.", ""),
        ("assistant\nuser\nsystem", ""),
        ("Answer: str\nnumber: int", ""),
        ("answer: int = 42", ""),
        ("A: 5\nB: 6", ""),
        ("Response: 200 OK", ""),
        ("Assistant::new() makes one.", ""),
        ("# Answer\n\nUse it.\n\n# Example", ""),
        ("Answers: two", ""),
        ("Use a dict.", ""),
        ("", ""),
    ],
)
def test_the_own_label_ends_before_the_answer(text, label):
    assert text[: own_label_end(text)] == label


@pytest.mark.parametrize(
    ("line", "role"),
    [
        ("User: hi", ("label", "User", " hi", False)),
        ("user: hi", ("label", "user", " hi", False)),
        ("**Human:** hi", ("label", "Human", " hi", True)),
        ("Question 2: Why?", ("label", "Question", " Why?", True)),
        ("Q2: Why?", ("label", "Q", " Why?", True)),
        ("[User]: hi", ("label", "User", " hi", False)),
        ("Problem 2: Sort it.", ("label", "Problem", " Sort it.", True)),
        ("Exercise 3. Sort it.", ("label", "Exercise", " Sort it.", True)),
        ("Follow-up Exercises:", ("label", "Exercise", "", False)),
        ("### Instruction:", ("heading", "Instruction", "", True)),
        ("### User", ("heading", "User", "", False)),
        ("assistant", ("bare", "assistant", "", False)),
        ("Q2: sales grew.", None),
        ("Problem: it hangs.", None),
        ("    User: hi", None),
        ("Username: bob", None),
        ("- User: hi", None),
        ("The user", None),
    ],
)
def test_a_line_that_names_a_speaker_has_a_role(line, role):
    assert role_of(line) == role


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("role: admin", True),
        ("x = 1", True),
        ("  pad.token-id: 0", True),
        ("Content type: text", True),
        ("User: hi", False),
        ("role:", False),
        ("this is text: yes", False),
        ("Use a dict.", False),
    ],
)
def test_a_setting_is_a_key_with_its_value(line, expected):
    assert is_setting(line) is expected
