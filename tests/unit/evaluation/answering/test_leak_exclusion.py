"""Leaks of a run: the questions of its dataset are found in its corpus, or read from its manifest."""

import json
import random

import pytest

from dataset.leaks.leak_search import Leak, LeakReport
from evaluation.answering.leak_exclusion import find_leaks, recorded_leaks
from evaluation.answering.questions import Item, load_items
from graph.support.errors import DatasetError
from tests.fakes.corpora import write_corpus
from tests.fakes.leak_copies import cut_of_words, dataset_row, planted, posts
from tests.fakes.project_files import SAMPLE_CORPUS, SAMPLE_DATASET


def test_the_sample_does_not_leak():
    items = load_items(SAMPLE_DATASET)
    assert find_leaks(items, SAMPLE_CORPUS) == LeakReport(())
    assert find_leaks(items, SAMPLE_CORPUS, SAMPLE_DATASET) == LeakReport(())


def test_items_are_found_as_the_rows_that_they_come_from(tmp_path):
    chance = random.Random(1)
    some = posts()[::6]
    dataset = write_corpus(tmp_path / "d.csv", [dataset_row(post) for post in some])
    bodies = [cut_of_words(post["question_body"], chance) for post in some]
    rows = [planted(number, question_body=body) for number, body in enumerate(bodies)]
    rows += [planted(100, question_title=some[0]["question_title"].upper())]
    rows += [planted(101, question_id=some[1]["question_id"])]
    corpus = write_corpus(tmp_path / "c.csv", rows)
    items = load_items(dataset)
    report = find_leaks(items, corpus)
    assert len(some) >= 60
    assert report == find_leaks(items, corpus, dataset)
    assert report.counts() == {"id": 1, "title": 1, "question": len(some), "answer": 0}
    assert {leak.eval_id for leak in report.leaks} == {post["question_id"] for post in some}
    assert find_leaks(items[:3], corpus, dataset).eval_ids == report.eval_ids[:3]


def test_the_number_of_a_row_is_no_id_of_an_item(tmp_path):
    corpus = write_corpus(tmp_path / "c.csv", [planted(1, question_id="1")])
    items = [Item(0, "1", "What is it? " * 9, "", ()), Item(1, "1", "What now? " * 9, "", ())]
    assert [leak.reasons for leak in find_leaks(items, corpus).leaks] == [("id",)]
    assert find_leaks(items[:1], corpus).leaks == ()


def test_a_dataset_that_lacks_an_item_is_refused(tmp_path):
    dataset = tmp_path / "d.csv"
    dataset.write_text("eval_id,question,answer\na,q,r\n", encoding="utf-8")
    items = [Item(0, "b", "What is it?", "", ())]
    with pytest.raises(DatasetError, match="has no question with the eval_id 'b'"):
        find_leaks(items, SAMPLE_CORPUS, dataset)


def test_the_leaks_of_a_manifest_are_those_of_the_search(tmp_path):
    report = LeakReport((Leak("7", "a", ("title", "question"), 0.625),))
    manifest = tmp_path / "manifest.json"
    assert recorded_leaks(manifest) is None
    for document in ({"leaks": None}, {}, {"leaks": {"leaks": [{"question_id": "7"}]}}, []):
        manifest.write_text(json.dumps(document), encoding="utf-8")
        assert recorded_leaks(manifest) is None
    manifest.write_text(json.dumps({"leaks": report.to_json()}), encoding="utf-8")
    assert recorded_leaks(manifest) == report


def test_a_dataset_of_markdown_bodies_is_searched_as_markdown(tmp_path):
    code = "`Map<String, List<Integer>>` `vector<int>` `Pair<first, second>` `Set<Key>` " * 3
    corpus = write_corpus(tmp_path / "c.csv", [planted(1, question_body=code, answer_body="a `b`")])
    asked = {"eval_id": "a", "question_title": "T", "question_body": code, "answer_body": "- x"}
    dataset = write_corpus(tmp_path / "d.csv", [asked])
    leaks = find_leaks([Item(0, "a", code, "- x", ())], corpus, dataset).leaks
    assert [(leak.reasons, leak.share) for leak in leaks] == [(("question",), 1.0)]
