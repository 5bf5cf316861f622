"""The sample data in dataset/sample: complete, correct where it can be run, and not leaking."""

import ast
import html
import json
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest

from evaluation.answering.questions import load_items
from graph.retrieval.corpus import read_corpus
from graph.support.table_files import CORPUS_COLUMNS
from tests.fakes.csv_files import read_csv
from tests.fakes.project_files import SAMPLE_CORPUS, SAMPLE_DATASET
from tests.fakes.waiting import FAR

PRE = re.compile(r"<pre(?P<attributes>[^>]*)><code>(?P<code>.*?)</code></pre>", re.DOTALL)
RUN_WITH_OUTPUT = re.compile(
    r'<pre class="lang-python" data-run="true"><code>(?P<code>.*?)</code></pre>\s*'
    r'<pre class="lang-none" data-output="true"><code>(?P<output>.*?)</code></pre>',
    re.DOTALL,
)
SHARED_WORDS = 13
"""A run of so many words in common is taken for a copy, as in the contamination checks of GPT-3."""


rows = cache(read_csv)


def bodies():
    for row in rows(SAMPLE_CORPUS):
        for name in ("question_body", "answer_body"):
            yield row["question_id"], row[name]


def words(text):
    return re.findall(r"\w+", html.unescape(re.sub(r"<[^>]+>", " ", text)).lower())


def runs(text):
    tokens = words(text)
    return {tuple(tokens[i : i + SHARED_WORDS]) for i in range(len(tokens) - SHARED_WORDS + 1)}


def test_the_corpus_has_exactly_the_seven_columns():
    assert tuple(rows(SAMPLE_CORPUS)[0]) == CORPUS_COLUMNS
    assert not [
        row["question_id"] for row in rows(SAMPLE_CORPUS) if None in row or None in row.values()
    ]


def test_the_corpus_covers_the_languages_it_is_to_cover():
    tags = Counter(tag for row in rows(SAMPLE_CORPUS) for tag in row["question_tags"].split("|"))
    assert len(rows(SAMPLE_CORPUS)) >= 300
    assert tags["python"] >= 150
    assert tags["javascript"] >= 60
    assert tags["java"] >= 60
    assert min(tags["sql"], tags["git"], tags["bash"]) >= 15


def test_ids_are_unique_and_no_field_is_empty():
    for name in ("question_id", "answer_id", "question_title", "question_body", "answer_body"):
        values = [row[name].strip() for row in rows(SAMPLE_CORPUS)]
        assert all(values), name
        assert [value for value, count in Counter(values).items() if count > 1] == [], name
    assert all(row["answer_score"].lstrip("-").isdigit() for row in rows(SAMPLE_CORPUS))


def test_tags_are_written_as_tags():
    for row in rows(SAMPLE_CORPUS):
        tags = row["question_tags"].split("|")
        assert len(tags) == len(set(tags)), row["question_id"]
        assert all(re.fullmatch(r"[a-z0-9.+#-]+", tag) for tag in tags), row["question_id"]


def test_the_corpus_is_read_without_complaint():
    posts = list(read_corpus(SAMPLE_CORPUS))
    assert len(posts) == len(rows(SAMPLE_CORPUS))
    for post in posts:
        fences = re.findall(r"^\s*(`{3,})", f"{post.question}\n{post.answer}", re.MULTILINE)
        assert len(fences) % 2 == 0, post.question_id
        assert "<pre" not in post.question + post.answer, post.question_id


def test_every_python_block_of_an_answer_is_python():
    blocks = [
        (question, html.unescape(match["code"]))
        for question, body in bodies()
        for match in PRE.finditer(body)
        if "lang-python" in match["attributes"]
    ]
    assert len(blocks) >= 300
    for question, code in blocks:
        try:
            ast.parse(code)
        except SyntaxError as error:
            pytest.fail(f"question {question}: {error}\n{code}")


RUNNER = """
import json, os, sys, types
for code in json.load(sys.stdin):
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        os.close(writing)
        module = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(code, "<block>", "exec"), vars(module))
        break
    os.close(writing)
    with open(reading, encoding="utf-8") as pipe:
        output = pipe.read()
    status = os.waitstatus_to_exitcode(os.wait()[1])
    print(json.dumps(output + "\\nexit status " + str(status)), flush=True)
"""
"""Runs each block in a process of its own, forked from one bare interpreter: fast, and no block
sees another one or this environment."""


def outputs(blocks):
    """Return the output and the exit status of each block."""
    command = [sys.executable, "-I", "-S", "-X", "utf8", "-c", RUNNER]
    done = subprocess.run(
        command, input=json.dumps(blocks), capture_output=True, text=True, timeout=FAR, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_block_that_can_be_run_prints_what_stands_below_it():
    blocks = [
        (question, html.unescape(match["code"]), html.unescape(match["output"]))
        for question, body in bodies()
        for match in RUN_WITH_OUTPUT.finditer(body)
    ]
    marked = sum(body.count('data-run="true"') for _, body in bodies())
    assert len(blocks) == marked >= 100

    halves = blocks[::2], blocks[1::2]
    with ThreadPoolExecutor(2) as pool:
        printed = pool.map(outputs, [[code for _, code, _ in half] for half in halves])
        for half, half_outputs in zip(halves, printed, strict=True):
            for (question, _, expected), output in zip(half, half_outputs, strict=True):
                assert output == f"{expected}\nexit status 0", f"question {question}"


def test_the_dataset_has_enough_questions_with_answers():
    items = load_items(SAMPLE_DATASET)
    assert len(items) >= 80
    assert len({item.eval_id for item in items}) == len(items)
    assert all(len(item.question) > 100 and len(item.reference) > 50 for item in items)


def test_relevant_posts_are_in_the_corpus():
    known = {row["question_id"] for row in rows(SAMPLE_CORPUS)}
    items = load_items(SAMPLE_DATASET)
    assert all(item.relevant_question_ids for item in items)
    for item in items:
        assert set(item.relevant_question_ids) <= known, item.eval_id
        assert len(set(item.relevant_question_ids)) == len(item.relevant_question_ids)


def test_no_question_of_the_dataset_stands_in_the_corpus():
    titles = {" ".join(words(row["question_title"])) for row in rows(SAMPLE_CORPUS)}
    texts = {" ".join(words(body)) for _, body in bodies()}
    for item in load_items(SAMPLE_DATASET):
        first_line = item.question.split("\n")[0]
        assert " ".join(words(first_line)) not in titles, item.eval_id
        assert " ".join(words(item.question)) not in texts, item.eval_id
        assert " ".join(words(item.reference)) not in texts, item.eval_id


def test_questions_and_references_share_no_long_run_of_words_with_the_corpus():
    corpus = set()
    for _, body in bodies():
        corpus |= runs(body)
    assert len(corpus) > 10_000
    for item in load_items(SAMPLE_DATASET):
        assert runs(item.question) & corpus == set(), item.eval_id
        assert runs(item.reference) & corpus == set(), item.eval_id


def test_every_python_fence_of_the_dataset_is_python():
    fence = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    count = 0
    for item in load_items(SAMPLE_DATASET):
        for text in (item.question, item.reference):
            assert len(re.findall(r"^\s*```", text, re.MULTILINE)) % 2 == 0, item.eval_id
            for code in fence.findall(text):
                count += 1
                try:
                    ast.parse(code)
                except SyntaxError as error:
                    pytest.fail(f"{item.eval_id}: {error}\n{code}")
    assert count >= 80
