"""Run-ons and labels: what is cut from a reply, and what only looks like a turn and stays."""

import pytest

from nodes.replies import clean

SORT = "Use sorted(d, key=d.get)."
CODE = "Use a lock:\n\n```python\nwith lock:\n    work()\n```"

RUN_ONS = {
    # phi-2: the exercises of its training texts, and its own format
    "phi-2 exercise": "\n\nExercise 2:\nWrite a function that sorts a list.",
    "phi-2 exercise in one line": "\nExercise 3: Explain the difference between a list and a tuple.",
    "phi-2 exercise with a full stop": "\n\nExercise 1. Sort the keys instead.",
    "phi-2 exercises": "\n\nFollow-up Exercises:\n1. Sort by two keys.",
    "phi-2 exercise in bold": "\n\n**Exercise 2:** Sort the keys instead.",
    "phi-2 exercise as a heading": "\n\n## Exercise 4:\nSort the keys instead.",
    "phi-2 instruct": "\nInstruct: How do I reverse a list?\nOutput: Use reversed().",
    "phi-2 instruct, cut": "\n\nInstruct:",
    "phi-2 question": "\n\nQuestion: How do I reverse a list?\nAnswer: Use reversed().",
    "phi-2 question with a number": "\nQuestion 2: What does sorted return?",
    "question and answer": "\n\nQ: How do I reverse a list?\nA: Use reversed().",
    # names with a colon
    "user": "\nUser: How do I reverse it?",
    "user without a mark": "\nUser: now do the same for a list of tuples",
    "user on a line of its own": "\n\nUser:\nHow do I reverse it?",
    "user and assistant": "\nUser: thanks\nAssistant: You are welcome.",
    "user in bold": "\n\n**User:** How do I reverse it?\n\n**Assistant:** Use reversed().",
    "user in capitals": "\nUSER: How do I reverse it? ASSISTANT: Use reversed().",
    "user, indented": "\n  User: thanks\nAssistant: welcome",
    "human": "\n\nHuman: How do I reverse it?\n\nAssistant: Use reversed().",
    "human, one word": "\nHuman: thanks",
    "human, cut": "\n\nHuman:",
    "the model asks itself": "\n\nAssistant: Is there anything else?",
    # Alpaca and Vicuna
    "alpaca": "\n\n### Instruction:\nReverse a list.\n\n### Response:\nUse reversed().",
    "alpaca without a colon": "\n\n### Instruction\nReverse a list.",
    "alpaca response": "\n\n### Response:\nUse sorted().",
    "human as a heading": "\n### Human: \nHow do I reverse it?",
    "user as a heading": "\n\n### User:\nHow do I reverse it?\n\n### Assistant:\nUse reversed().",
    "assistant as a heading": "\n### Assistant\nUse sorted().",
    # chat formats whose control tokens were left out in decoding
    "bare user": "\nuser\nHow do I reverse it?\nassistant\nUse reversed().",
    "bare user after a blank line": "\n\nuser\nThanks, and how do I reverse it?",
    "bare user at the end": "\nuser",
    "bare user, short": "\nuser\nthanks\nassistant\nYou are welcome.",
    "bare assistant": "\nassistant\nUse sorted() with a key.",
    "bare system": "\n\nsystem\nYou are a helpful assistant.",
    # control tokens as text
    "chatml": "<|im_end|>\n<|im_start|>user\nHow do I reverse it?<|im_end|>",
    "chatml on a line": "\n<|im_start|>user\nHow do I reverse it?",
    "chatml end alone": "<|im_end|>",
    "zephyr": "\n<|user|>\nHow do I reverse it?\n<|assistant|>\nUse reversed().",
    "llama 2": " [INST] How do I reverse it? [/INST] Use reversed().",
    "llama 2 with its end": "</s><s>[INST] How do I reverse it? [/INST]",
    "llama 3": "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHow do I reverse it?",
    "gemma": "<end_of_turn>\n<start_of_turn>user\nHow do I reverse it?",
    "end of text": "<|endoftext|>Question: How do I reverse it?",
    "deepseek": "<\uff5cUser\uff5c>How do I reverse it?",
}

KEPT = {
    # settings
    "ssh config": "Add this to ~/.ssh/config:\n\nHost github.com\n  HostName github.com\n  User: git",
    "ssh config, flat": "Host: github.com\nUser: git\nIdentityFile: ~/.ssh/id",
    "setting alone": "Set the account in the file.\nUser: git",
    "YAML": "name: app\nUser: bob\nPassword: secret",
    "YAML after a sentence": "Write this to the file.\n\nUser: bob\nRole: admin",
    "YAML with a map": "Write this.\n\nUser:\n  name: bob\n  role: admin",
    "YAML with sentences": "These are the fields:\n\nUser: the name of the account.\nHost: its server.",
    "fields": "There are two fields.\n\nUser: the account that logs in.\nHost: the server.",
    "HTTP": "It sends these lines:\nHost: x.org\nUser: alice",
    "assistant as a key": "The file names both.\nAssistant: gpt\nTemperature: 0.2",
    "human as a key": "The agreement is this.\nHuman: 95\nModel: 80",
    # logs and output
    "log": "The log says:\nUser: alice logged in from 10.0.0.1",
    "log lines": "Session: 12\nUser: alice logged in from 10.0.0.1\nSession: 13",
    "output": "The loop runs twice.\nOutput: 5",
    "response": "The server is asked once.\nResponse: 200 OK",
    "answer": "Both are lists.\n\nAnswer: use sorted().",
    "prompt of a program": "The program prints:\n\nQuestion: What is your name?",
    "dialogue": "The loop prints the dialogue:\n\nUser: hi, how are you?\nAssistant: I am fine.\n\nThen it ends.",
    "dialogue under a heading": "### Example\n\nUser: How are you?\n\nAssistant: I am fine.",
    # FAQ and headings
    "FAQ": "Question: why does it hang?\nThe lock is held.\n\nQuestion: who holds it?\nThe worker.",
    "FAQ with answers": "Q: why?\nA: The lock is held.\n\nQ: who?\nA: The worker.",
    "FAQ under a heading": "## FAQ\n\nQuestion: why does it hang?\n\nThe lock is held.\n\nQuestion: who?\n\nThe worker.",
    "one question as a heading": "Question: why does it hang?\n\nThe lock is held by the worker.",
    "request and response": "### Request\n\nGET /\n\n### Response\n\n200 OK",
    "user management": "### User management\n\nAdd the user first.",
    "instructions": "### Instructions\n\nInstall it.\n\n### Usage\n\nRun it.",
    "exercises of a course": "These exercises help:\n\nExercise 1: Sort a list.\nExercise 2: Reverse it.",
    # words
    "exercise caution": "Back up the table.\nExercise caution when you drop it.",
    "exercise as a verb": "Call close().\nExercise the error path as well.",
    "exercise in a sentence": "Read the book.\nExercise 2 shows the same.",
    "users": "Sort them.\nUser objects have names.",
    "the question": "Measure it.\nThe Question: is open.",
    "human readable": "Format it.\nHuman-readable: yes, with -h.",
    "assistants": "Use the API.\nAssistants have tools.",
    "list of names": "The tables are:\n\nuser\norder\nproduct",
    "list of columns": "Select these columns.\n\nid\nname\nuser\nemail",
    "wrapped word": "The command prints the name of the\nuser\nand exits with 0.",
    "bare word after a colon": "The role must be:\nuser",
    "system in prose": "It depends on the\nsystem\nthat runs it.",
    "bullets": "There are two roles.\n- User: reads posts.\n- Admin: writes posts.",
    "quotation": "He wrote this.\n> User: hi, how do I sort it?",
    # code
    "fenced chat": "Format it so:\n\n```text\nUser: How are you?\nAssistant: Fine.\n```\n\nThen send it.",
    "fenced chatml": "Use this template.\n\n```\n<|im_start|>user\nhi<|im_end|>\n```\n\nIt ends there.",
    "fenced with tildes": "So:\n\n~~~\n\nHuman: hi\n~~~\nDone.",
    "indented code": "Run this.\n\n    User: How do I log in here?\n    Human: x",
    "open fence": "Run this.\n\n```python\nx = 1\nQuestion: int = 5",
    "inline token": "Stop at `<|im_end|>` and at `[INST]`.",
    "token in a sentence": "The token <|im_end|> closes a turn.",
    "struck text": "It is <s>slow</s>\nfast.",
    "index": "x[INST] is a name",
}

LABELLED = {
    "Assistant: ": SORT,
    "assistant\n": SORT,
    "ASSISTANT: ": SORT,
    "AI: ": SORT,
    "Bot: ": SORT,
    "Answer: ": SORT,
    "**Assistant:** ": SORT,
    "### Response:\n": SORT,
    "### Assistant\n": SORT,
    "<|im_start|>assistant\n": SORT,
    "<|assistant|>\n": SORT,
    "<start_of_turn>model\n": SORT,
    "[/INST] ": SORT,
    "<|start_header_id|>assistant<|end_header_id|>\n\n": SORT,
    "Assistant:\nAssistant: ": SORT,
    "User: How do I sort it?\nAssistant: ": SORT,
    "Human: How do I sort it?\n\nAssistant: ": SORT,
    "Instruct: How do I sort it?\nOutput: ": SORT,
    "### Instruction:\nSort it.\n\n### Response:\n": SORT,
    "<|im_start|>user\nHow do I sort it?<|im_end|>\n<|im_start|>assistant\n": SORT,
    "user\nHow do I sort it?\nassistant\n": SORT,
}


def test_the_tables_have_at_least_sixty_examples_of_both_kinds():
    assert len(RUN_ONS) >= 40
    assert len(KEPT) >= 40


@pytest.mark.parametrize("answer", [SORT, CODE], ids=["sentence", "code"])
@pytest.mark.parametrize("name", RUN_ONS)
def test_a_run_on_is_cut_where_the_next_turn_begins(name, answer):
    assert clean(answer + RUN_ONS[name]) == answer


@pytest.mark.parametrize("name", RUN_ONS)
def test_a_reply_that_is_only_a_run_on_is_not_emptied(name):
    tokens_alone = {"chatml end alone"}
    labels_alone = {"bare assistant", "alpaca response", "assistant as a heading"}
    cleaned = clean(RUN_ONS[name])
    assert bool(cleaned) == (name not in tokens_alone), name
    if name in labels_alone:
        assert cleaned.startswith("Use sorted(")


@pytest.mark.parametrize("name", KEPT)
def test_a_line_that_only_looks_like_a_turn_stays(name):
    assert clean(KEPT[name]) == KEPT[name]


@pytest.mark.parametrize("name", sorted(KEPT.keys() - {"open fence"}))
def test_a_run_on_after_such_a_line_is_cut_all_the_same(name):
    run_on = "\n\nThat is all.\n\n<|im_end|>\n<|im_start|>user\nHow do I reverse it?"
    assert clean(KEPT[name] + run_on) == f"{KEPT[name]}\n\nThat is all."


@pytest.mark.parametrize("label", LABELLED)
def test_the_label_of_the_models_own_turn_is_left_out(label):
    assert clean(label + SORT) == LABELLED[label]
    assert clean(label + SORT + "\n\nHuman: thanks, and how do I reverse it?") == SORT
