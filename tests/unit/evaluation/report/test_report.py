"""python -m evaluation report: run folders in, one page out that loads and runs nothing foreign."""

import json
import random
import re
from base64 import b64encode
from functools import partial
from hashlib import sha256

import pytest

from evaluation.analysis.comparison import compare
from evaluation.metrics.registry import METRIC_NAMES, STAGE_METRICS
from evaluation.report import graph_pictures
from evaluation.report.html_page import PAGE_TEMPLATE, SCRIPT_PARTS
from evaluation.report.report_file import write_report
from evaluation.report.slice_groups import direction
from evaluation.rescoring.score_files import PassSpec, ScoreFile, fingerprint
from evaluation.statistics.summaries import summarise
from evaluation.store.recorded_run import read_run
from graph.support.errors import ConfigError, DatasetError, MissingExtraError
from nodes.state import Passage
from tests.fakes.command_lines import run_evaluation
from tests.fakes.fake_models import reply, verdict
from tests.fakes.project_files import ROOT
from tests.fakes.records import failed, record
from tests.fakes.report_pages import SEEDS, hostile, index_of, parsed, questions_of
from tests.fakes.run_folders import contents, make_run, scored

REPORT = ROOT / "evaluation" / "report"
LOW = [0.1 + number / 1000 for number in range(20)]
HIGH = [value + 0.3 for value in LOW]
SLICE_ELEMENTS = {
    *("section", "h2", "p", "span", "details", "summary", "small", "b", "div"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
SVG_ADDRESS = graph_pictures._svg_address


@pytest.fixture(autouse=True)
def _no_drawing(monkeypatch):
    # Drawing takes a second a graph, and is tested on its own.
    monkeypatch.setattr(graph_pictures, "_svg_address", lambda text: None)
    monkeypatch.setattr("evaluation.statistics.intervals.MEAN_RESAMPLES", 200)


@pytest.fixture
def report(tmp_path):
    """Write a report of these folders and return its tree."""

    def start(*folders):
        write_report(folders, tmp_path / "report.html")
        return parsed(tmp_path / "report.html")

    return start


@pytest.fixture
def run(monkeypatch):
    """Run the command in a child process."""
    return partial(run_evaluation, monkeypatch, "report")


@pytest.fixture
def two(tmp_path):
    return [
        make_run(tmp_path / "b", scored(LOW), config="keyword"),
        make_run(tmp_path / "a", scored(HIGH), config="semantic"),
    ]


def text_of(tree, path="//body"):
    """Return the text that a reader sees, without scripts."""
    parts = tree.xpath(f"{path}//text()[not(ancestor::script)]")
    return " ".join(" ".join(parts).split())


def passage(number=1, **changes) -> Passage:
    fields: Passage = {
        "number": number,
        "question_id": f"p{number}",
        "title": f"title {number}",
        "text": f"text of passage {number}, which is long enough for the table",
        "answer_chars": 4,
        "score": 0.5,
        "url": "https://example.org/1",
        "licence": "CC BY-SA 4.0",
    }
    return {**fields, **changes}


def noise(length):
    """Return a text that cannot be compressed much."""
    return "".join(random.Random(0).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=length))


def cells(tree):
    """Return the cells of the table of means, row by row."""
    return [
        [" ".join(cell.text_content().split()) for cell in row]
        for row in tree.xpath("//table[@class='means']/tbody/tr")
    ]


def test_the_first_screen_has_means_intervals_counts_and_marks(report, two):
    tree = report(*two)
    control, other = cells(tree)
    assert control[0] == "A keyword control 20 of 20, 0 failed, 0 empty"
    assert re.match(r"\.110 \.10\d to \.11\d n 20, 0 unscored", control[1])
    assert re.match(r"\.410 ▲ ?better \.40\d to \.41\d n 20, 0 unscored", other[1])
    text = text_of(tree)
    assert (
        "keyword, semantic: on 20 questions of questions.csv, against the control keyword." in text
    )
    assert "semantic against keyword: better in BLEU, ROUGE-1" in text
    assert "m (revision r1, float32)" in text


@pytest.mark.parametrize(
    ("refused", "text"),
    [
        ([], "m (openai, verdicts by text)"),
        (["temperature"], "m (openai, without temperature, verdicts by text)"),
        (["temperature", "seed"], "m (openai, without temperature and seed, verdicts by text)"),
        ("damaged", "m (openai, verdicts by text)"),
    ],
)
def test_settings_that_a_server_refuses_are_named(report, tmp_path, refused, text):
    served = {"model": "m", "engine": "openai", "refused": refused, "verdicts": "text"}
    tree = report(make_run(tmp_path / "a", scored(LOW), generator=served))
    assert f"generator {text}" in text_of(tree, "//dl")


def test_what_differs_between_runs_is_said_for_each(report, tmp_path):
    other = {"model": "other", "weights": "hub", "revision": None, "dtype": "float32"}
    tree = report(
        make_run(tmp_path / "b", scored(LOW), config="keyword"),
        make_run(tmp_path / "a", scored(HIGH), config="semantic", generator=other, seed=1),
    )
    text = text_of(tree, "//dl")
    assert "generator A: m (revision r1, float32) B: other (float32)" in text
    assert "encoder e (float32)" in text
    assert "seed, batch size A: 0, 8 B: 1, 8" in text
    assert "semantic - keyword: not only the config differs: generator.model" in text_of(tree)


def test_what_is_not_distinguishable_is_said(report, tmp_path):
    tree = report(
        make_run(tmp_path / "b", scored(LOW), config="keyword"),
        make_run(tmp_path / "a", scored(LOW[::-1]), config="semantic"),
    )
    assert "not distinguishable" in cells(tree)[1][1]
    assert "semantic against keyword: not distinguishable." in text_of(tree)


def test_the_differences_are_those_of_compare(report, two):
    tree = report(*two)
    differences = compare({"keyword": read_run(two[0]), "semantic": read_run(two[1])}).differences
    [table] = tree.xpath("//table[contains(., 'would have shown')]")
    rows = [[cell.text_content() for cell in row] for row in table.xpath("tbody/tr")]
    assert [row[1] for row in rows] == [difference["metric"] for difference in differences]
    assert rows[0][:3] == ["B semantic - A", "BLEU", "+.300"]
    assert rows[0][5:10] == ["<.001", "better", "20", "0", "0"]


def test_failed_and_unscored_questions_stand_beside_the_means(report, tmp_path):
    folder = make_run(tmp_path / "a", [*scored([0.2, 0.4, None]), failed(3), record(4, answer="")])
    tree = report(folder)
    assert cells(tree)[0][0] == "A semantic 5 of 5, 1 failed, 1 empty"
    assert "n 3, 1 unscored" in cells(tree)[0][1]
    assert "semantic: 1 question failed" in text_of(tree)
    states = [row[3][0][0] for row in index_of(tree)["rows"]]
    assert states == ["", "", "", "failed", "empty"]


def test_an_unfinished_run_is_reported_on_what_is_finished(report, run, tmp_path):
    folder = make_run(tmp_path / "a", scored(LOW[:3]), questions=5, results=False)
    tree = report(folder)
    assert "3 of 5, 0 failed" in cells(tree)[0][0]
    assert "unfinished, 3 of 5 questions are done: every figure is of those alone." in text_of(tree)
    ended = run(folder, "--out", tmp_path / "x.html")
    assert (ended.code, ended.out) == (0, f"report: {tmp_path / 'x.html'}\n")
    assert "unfinished, 3 of 5" in ended.err


def test_a_torn_line_is_left_out_and_said(run, tmp_path):
    folder = make_run(tmp_path / "a", scored(LOW))
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(b'{"crc32": "0')
    ended = run(folder, "--out", tmp_path / "x.html")
    assert ended.code == 0
    assert "torn" in ended.err


def test_a_single_question_has_no_interval_and_no_test(report, tmp_path):
    tree = report(
        make_run(tmp_path / "b", scored([0.2]), config="keyword"),
        make_run(tmp_path / "a", scored([0.4]), config="semantic"),
    )
    assert cells(tree)[1][1].startswith(".400 ·no test no interval n 1, 0 unscored")
    assert "one question alone: no interval and no test" in text_of(tree)
    assert "NaN" not in text_of(tree)


def test_equal_scores_are_drawn_and_said(report, tmp_path):
    tree = report(
        make_run(tmp_path / "b", scored([0.5] * 4), config="keyword"),
        make_run(tmp_path / "a", scored([0.5] * 4), config="semantic"),
    )
    text = text_of(tree)
    assert "NaN" not in text
    assert "all 4 differences are the same" in text


def test_nothing_scored_is_none_and_not_nan(report, tmp_path):
    tree = report(make_run(tmp_path / "a", scored([None, None])))
    assert cells(tree)[0][1].startswith("none no interval n 0, 2 unscored")


def test_further_metrics_of_the_records_are_shown(report, tmp_path):
    records = scored([0.1, 0.2, 0.3])
    for item, score in zip(records[:2], [0.5, 1.0], strict=True):
        item["metrics"]["second_judge"] = score
    tree = report(make_run(tmp_path / "a", records))
    heads = [item.text_content() for item in tree.xpath("//table[@class='means']/thead//th")]
    assert heads[1 + len(METRIC_NAMES)] == "second_judge"
    assert cells(tree)[0][1 + len(METRIC_NAMES)].startswith(".750 .500 to 1.00 n 2, 1 unscored")
    assert index_of(tree)["rows"][2][3][0][3][len(METRIC_NAMES)] is None


def test_scores_made_after_the_run_stand_beside_its_own(report, tmp_path):
    records = [*scored([0.1, 0.2, 0.3, 0.4]), failed(4)]
    folder = make_run(tmp_path / "a", records)
    plan = PassSpec("judge", "org/second", ("LLM_judge",), {"kind": "judge", "judge": "org/second"})
    name = f"LLM_judge@{plan.name[-12:-6]}"
    file = ScoreFile(read_run(folder), plan)
    file.append(
        [
            later_score(records[0], 0.75),
            later_score(records[1], None),
            later_score(records[2], 0.25),
        ]
    )
    file.close()
    tree = report(folder)
    heads = [head.text_content() for head in tree.xpath("//table[@class='means']/thead//th")]
    assert heads[1 + len(METRIC_NAMES)] == name
    assert cells(tree)[0][1 + len(METRIC_NAMES)].startswith(".500 .250 to .750 n 2, 2 unscored")
    assert (
        f"semantic: {name} is LLM_judge by org/second, scored after the run, 1 unscored (no: 1), "
        "1 answer waits for it."
    ) in text_of(tree)
    assert questions_of(tree)[0]["runs"][0]["metrics"][name] == 0.75


def later_score(scored_record, value):
    return {
        "index": scored_record["index"],
        "of": fingerprint(scored_record),
        "scores": {"LLM_judge": value},
        "reasons": {"LLM_judge": "no"} if value is None else {},
        "evidence": [],
    }


def test_the_judge_is_correlated_with_each_metric_and_constant_scores_are_said(report, tmp_path):
    records = scored([0.1, 0.2, 0.4, 0.3])
    for scored_record in records:
        scored_record["metrics"]["BLEU"] = 0.5
    tree = report(make_run(tmp_path / "a", records))
    [table] = tree.xpath("//table[contains(., 'correlation')]")
    rows = [[cell.text_content() for cell in row] for row in table.xpath("tbody/tr")]
    assert [row[:3] for row in rows][:2] == [
        ["A semantic", "LLM_judge", "BLEU"],
        ["A semantic", "LLM_judge", "ROUGE-1"],
    ]
    assert rows[0][3:] == [
        "no correlation: one of the two gives every answer the same score",
        "4",
    ]
    assert (rows[1][3], rows[1][5]) == ("+1.00", "4")


def test_without_a_judge_there_is_no_correlation(report, tmp_path):
    records = scored([0.1, 0.2, 0.4])
    for scored_record in records:
        scored_record["metrics"]["LLM_judge"] = None
    assert (
        report(make_run(tmp_path / "a", records)).xpath("//table[contains(., 'correlation')]") == []
    )


CALIBRATED = {
    "metric": "LLM_judge",
    "judge": "j",
    "grades": "grades.csv",
    "n": 100,
    "spearman": {"mean": 0.1, "ci95": [-0.1, 0.3]},
}


@pytest.mark.parametrize(
    ("agreement", "heading"),
    [
        (None, "LLM_judge not calibrated against people"),
        ([0.45, 0.65], "LLM_judge not shown to agree with people more than a coin"),
        ([0.7, 0.9], "LLM_judge"),
    ],
)
def test_a_judge_that_people_do_not_bear_out_is_marked(
    report, tmp_path, monkeypatch, agreement, heading
):
    pairs = {"mean": 0.6, "ci95": agreement, "n": 80} if agreement else None
    known = [{**CALIBRATED, "pair_agreement": pairs}]
    monkeypatch.setattr("evaluation.report.run_figures.calibration_of", lambda identity: known)
    tree = report(make_run(tmp_path / "a", scored([0.1, 0.2])))
    heads = [head.text_content() for head in tree.xpath("//table[@class='means']/thead//th")]
    assert heads[1 + METRIC_NAMES.index("LLM_judge")] == heading
    assert ("do not rank by this judge" in text_of(tree)) == heading.endswith("coin")


def test_a_note_that_all_runs_share_stands_there_once(report, two):
    text = text_of(report(*two))
    assert text.count("not calibrated against people; measure it") == 1
    assert "all runs: LLM_judge (j): not calibrated against people" in text


def test_costs_are_a_question_s_and_leave_the_judge_out(report, tmp_path):
    tree = report(make_run(tmp_path / "a", scored([0.1, 0.2])))
    assert cells(tree)[0][-2:] == ["10 no interval n 2", "0.50 no interval n 2"]


def test_seconds_are_not_given_where_a_call_came_from_the_cache(report, tmp_path):
    cached = {**reply("x"), "cached": True, "seconds": 0.0}
    steps = [{"node": "generate", "replies": [cached, reply("y")], "answer": "x"}]
    tree = report(make_run(tmp_path / "a", [*scored([0.1]), *scored([0.2, 0.3], steps=steps)[1:]]))
    assert cells(tree)[0][-1] == "not measured 1 of 3 calls came from the cache"
    assert "A: not measured: 1 of 3 calls came from the cache." in text_of(tree)


def test_scores_are_shown_by_what_became_of_relevant_passages(report, tmp_path):
    records = scored([0.1, 0.2, 0.3], relevant_question_ids=["p1"])
    records[0]["passages"] = records[1]["passages"] = [passage()]
    records[0]["answer"] = "as in [1]"
    tree = report(make_run(tmp_path / "a", records))
    assert [row[3][0][1] for row in index_of(tree)["rows"]] == [0, 1, 2]
    labels = [label.get("aria-label") for label in tree.xpath("//figure//*[name()='svg']")]
    [outcome] = [label for label in labels if label.startswith("BLEU by retrieval outcome")]
    assert "retrieved and used 0.100 (no interval), n 1" in outcome
    assert "hit rate" in text_of(tree)


def test_slices_show_means_of_one_run_and_differences_of_two(report, tmp_path):
    tags = [f"<b>{SEEDS[0]}", "plain"]

    def folder(name, values):
        entries = enumerate(scored(values))
        records = [{**entry, "tags": [tags[index < 20]]} for index, entry in entries]
        return make_run(tmp_path / name, records, config=name)

    a, b = folder("extract", [*LOW, 0.1, 0.2]), folder("semantic", [*HIGH, 0.3, None])
    tree = report(a)
    assert "Kinds of questions" in text_of(tree, "//section[@id='slices']")
    (table,) = tree.xpath("//section[@id='slices']//table")
    assert cells_of(table)[1][:2] == [
        f"[<b>{SEEDS[0]}] questions 2, failed 0 fewer than 20",
        ".150 .100 to .200 n 2, 0 unscored",
    ]
    tree = report(a, b)
    (table,) = tree.xpath("//section[@id='slices']//table")
    heading, plain, few = cells_of(table)
    assert heading == ["B semantic - A extract"]
    assert few[1] == "+.200 no interval .300, .100 n 1, 1 unscored"
    assert plain[:2] == [
        "[plain] questions 20, failed 0",
        "+.300 no interval .410, .110 n 20, 0 unscored",
    ]
    assert "Type of question" not in text_of(tree)
    assert "type is left out: all questions are in one slice, concept." in text_of(tree)


def cells_of(table):
    """Return the texts of the cells of each row in the body of a table."""
    return [
        [" ".join(cell.text_content().split()) for cell in row.xpath("./th | ./td")]
        for row in table.xpath("./tbody/tr")
    ]


@pytest.mark.parametrize(
    ("values", "few", "expected"),
    [
        ([0.3, 0.2, 0.4], False, "better"),
        ([-0.3, -0.2, -0.4], False, "worse"),
        ([0.3, -0.2, 0.4], False, ""),
        ([0.3, 0.2, 0.4], True, ""),
        ([0.3], False, ""),
    ],
)
def test_a_difference_is_coloured_if_its_interval_lies_beside_0_and_the_slice_is_not_small(
    values, few, expected
):
    summary = summarise(values, bounded=False)
    assert direction({"few": few, "metrics": {"BLEU": summary}}, "BLEU") == expected
    assert direction({"few": few, "metrics": {}}, "BLEU") == ""


def test_stages_are_drawn_with_what_they_added(report, tmp_path):
    def text(score):
        return {"text": f"draft {score}", "reasoning": ""}

    records = []
    for number, (draft, refined) in enumerate([(0.1, 0.3), (0.2, 0.6)]):
        steps = [
            {"node": "generate", "candidates": [text(draft)], "answer": f"draft {draft}"},
            {"node": "refine", "candidates": [text(refined)], "answer": f"draft {refined}"},
        ]
        candidates = [
            {"step": step, "candidate": 0, "metrics": dict.fromkeys(STAGE_METRICS, value)}
            for step, value in enumerate((draft, refined))
        ]
        records.append(
            record(number, answer=f"draft {refined}", steps=steps, candidates=candidates)
        )
    tree = report(make_run(tmp_path / "a", records))
    labels = [label.get("aria-label") for label in tree.xpath("//figure//*[name()='svg']")]
    [after] = [label for label in labels if label.startswith("BLEU by stage")]
    assert "generate 0.150" in after
    assert "refine 0.450" in after
    [added] = [label for label in labels if label.startswith("BLEU, what each stage added")]
    assert "refine, 2 changed +0.300 (+0.200 to +0.400), n 2" in added


def test_without_scores_of_drafts_that_is_said(report, tmp_path):
    tree = report(make_run(tmp_path / "a", scored([0.1, 0.2])))
    assert (
        "Nothing to draw: only final answers have BLEU, or each run has only one stage."
        in text_of(tree)
    )


def test_every_plot_says_in_words_what_it_shows(report, two):
    for svg in report(*two).xpath("//figure//*[name()='svg']"):
        assert svg.get("role") == "img"
        assert len(svg.get("aria-label")) > 20


def test_a_question_has_its_whole_trace_but_no_prompt(report, tmp_path):
    steps = [
        {"node": "generate", "replies": [reply("x", prompt="SECRET PROMPT")], "candidates": []},
        {"node": "judge", "verdicts": [{**verdict({"0": 0.2, "4": 0.8}), "prompt": "SECRET"}]},
    ]
    records = scored([0.5], steps=steps, passages=[passage()])
    tree = report(make_run(tmp_path / "a", records))
    [packed] = questions_of(tree)
    [trace] = packed["runs"]
    assert trace["passages"] == [passage()]
    assert trace["steps"][1]["verdicts"][0]["probabilities"] == {"0": 0.2, "4": 0.8}
    assert trace["steps"][0]["replies"][0]["text"] == "x"
    assert "SECRET" not in json.dumps(packed)


def test_runs_stand_side_by_side_by_question(report, tmp_path):
    theirs = scored([0.1, 0.2, 0.3])
    theirs[2]["reference"] = "another"
    tree = report(
        make_run(tmp_path / "b", theirs, config="keyword"),
        make_run(tmp_path / "a", scored([0.4, 0.5, 0.6]), config="semantic"),
    )
    rows = index_of(tree)["rows"]
    assert [(row[0], [cell is not None for cell in row[3]]) for row in rows] == [
        (0, [True, True]),
        (1, [True, True]),
        (2, [True, False]),
        (2, [False, True]),
    ]
    assert [packed["reference"] for packed in questions_of(tree)][2:] == ["another", "because"]


def test_the_policy_names_the_style_and_the_script_by_their_hashes(report, two):
    tree = report(*two)
    [policy] = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    directives = dict(part.split(" ", 1) for part in policy.split("; "))
    [style] = tree.xpath("//style/text()")
    [script] = tree.xpath("//script[not(@type)]/text()")
    for name, text in (("style-src", style), ("script-src", script)):
        assert directives[name] == f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
    assert directives["default-src"] == "'none'"
    assert directives["img-src"] == "data:"
    assert "unsafe" not in policy


def test_the_page_has_no_inline_style_no_handler_and_no_address_outside(report, two):
    tree = report(*two)
    assert tree.xpath("//@style") == []
    assert [a for a in tree.xpath("//@*") if a.attrname.startswith("on")] == []
    assert [
        a for a in tree.xpath("//@src | //@href") if not a.startswith(("#", "data:image/"))
    ] == []


def test_the_script_never_parses_a_text_as_html(report, two):
    [script] = report(*two).xpath("//script[not(@type)]/text()")
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "fetch(",
    ):
        assert word not in script


def test_the_page_has_every_part_of_the_script_once():
    names = [path.stem for path in (REPORT / "script").iterdir()]
    assert sorted(SCRIPT_PARTS) == sorted(names)


def test_every_template_is_used():
    used, new = set(), {PAGE_TEMPLATE}
    while new:
        used |= new
        texts = [(REPORT / "template" / name).read_text(encoding="utf-8") for name in new]
        new = {name for text in texts for name in re.findall(r'"([\w.]+\.j2)"', text)} - used
    assert used == {path.name for path in (REPORT / "template").iterdir()}


def test_equal_graphs_have_equal_pictures(tmp_path, monkeypatch):
    pytest.importorskip("mermaidx", reason="needs the extra: pip install 'opencoder[draw]'")
    monkeypatch.setattr(graph_pictures, "_svg_address", SVG_ADDRESS.__wrapped__)
    run = make_run(tmp_path / "run", scored(LOW), config="baseline")
    pages = [tmp_path / name for name in ("one.html", "two.html")]
    for page in pages:
        write_report([run], page)
    assert len(parsed(pages[0]).xpath("//section[@id='graphs']//img")) == 1
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_equal_runs_give_equal_bytes(two, tmp_path):
    pages = [tmp_path / name for name in ("one.html", "two.html")]
    for page in pages:
        write_report(two, page)
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_nothing_in_a_run_is_changed(two, tmp_path):
    before = [contents(folder) for folder in two]
    write_report(two, tmp_path / "report.html")
    assert [contents(folder) for folder in two] == before


def test_a_text_that_several_runs_share_is_kept_once(tmp_path):
    records = scored([0.1], passages=[passage(text=noise(40_000))])
    folders = [
        make_run(tmp_path / name, records, config=name)
        for name in ("keyword", "semantic", "hybrid")
    ]
    sizes = []
    for count in (1, 3):
        write_report(folders[:count], tmp_path / "report.html")
        tree = parsed(tmp_path / "report.html")
        sizes.append(len(tree.get_element_by_id("block-0").text))
    assert sizes[0] < sizes[1] < sizes[0] + 500


def test_passages_are_cut_and_that_is_said_where_the_page_would_get_too_large(
    report, tmp_path, monkeypatch
):
    from evaluation.report import question_blocks as blocks

    original = blocks.blocks_of
    monkeypatch.setattr(blocks, "blocks_of", lambda *arguments: original(*arguments, budget=4_000))
    long = noise(9_000)
    tree = report(make_run(tmp_path / "a", scored([0.1], passages=[passage(text=long)])))
    [packed] = questions_of(tree)
    [cut_passage] = packed["runs"][0]["passages"]
    assert (cut_passage["text"], cut_passage["left_out"]) == (long[:1_000], 8_000)
    assert "passages are cut to 1,000 characters" in text_of(tree)


def test_hostile_texts_come_back_as_they_were_and_are_no_part_of_the_html(report, tmp_path):
    texts, tags = hostile(), []
    for name, run_texts in (("tame", [f"text {n}" for n in range(len(texts))]), ("hostile", texts)):
        tree = report(
            make_run(tmp_path / name, [everywhere(n, text) for n, text in enumerate(run_texts)])
        )
        # Other texts are in other slices, so that their tables have other rows.
        slices = tree.get_element_by_id("slices")
        assert {element.tag for element in slices.iter()} <= SLICE_ELEMENTS
        slices.drop_tree()
        tags.append([element.tag for element in tree.iter() if isinstance(element.tag, str)])
    assert tags[0] == tags[1]
    for text, packed in zip(texts, questions_of(tree), strict=True):
        [trace] = packed["runs"]
        assert packed["question"] == packed["reference"] == trace["answer"] == text
        assert trace["passages"][0]["title"] == trace["passages"][0]["url"] == text
        assert trace["steps"] == [{"node": text, "points": [text], "answer": text}]
        assert trace["eval_id"] == text


def everywhere(number, text):
    """Return a record that has the text in every field that people or models write."""
    return record(
        number,
        question=text,
        reference=text,
        answer=text,
        reasoning=text,
        eval_id=text,
        tags=[text],
        passages=[passage(title=text, text=text, url=text, licence=text)],
        steps=[{"node": text, "points": [text], "answer": text}],
        error={"type": text, "message": text, "of_question": False} if number % 3 == 0 else None,
    )


@pytest.mark.parametrize(
    "text", ["<img src=x onerror=alert(1)>", "</script><b>", "a\x00b\u202ec\x1b"]
)
def test_hostile_names_of_the_manifest_are_text(tmp_path, text):
    records = scored([0.1, 0.2])
    for scored_record in records:
        scored_record["metrics"][text] = 0.5
    folder = make_run(tmp_path / "a", records, config=f"x {text}")
    write_report([folder], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text not in page
    assert "\x00" not in page
    assert "\u202e" not in page
    tree = parsed(tmp_path / "report.html")
    assert tree.xpath("//img | //b[not(ancestor::table)]") == []
    manifest = json.loads(tree.xpath("//section[@id='manifests']//pre/text()")[0])
    assert manifest == json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def test_runs_that_share_no_question_are_refused_in_one_line(run, tmp_path):
    ended = run(
        make_run(tmp_path / "b", scored([0.1]), config="keyword"),
        make_run(tmp_path / "a", [record(5, question="another")], config="semantic"),
        "--out",
        tmp_path / "x.html",
    )
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "share no finished question" in ended.err
    assert not (tmp_path / "x.html").exists()


def test_a_damaged_run_is_refused_in_one_line(run, two, tmp_path):
    journal = two[1] / "journal.jsonl"
    lines = journal.read_bytes().split(b"\n")
    journal.write_bytes(b"\n".join([*lines[:3], lines[3].replace(b"why", b"who"), *lines[4:]]))
    ended = run(*two, "--out", tmp_path / "x.html")
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "line 4 is damaged" in ended.err


@pytest.mark.parametrize("name", ["no/such/x.html", "."])
def test_a_place_that_cannot_be_written_is_refused(run, two, tmp_path, name):
    ended = run(*two, "--out", tmp_path / name)
    assert ended.code == 2
    assert "name another" in ended.err


def test_the_same_run_twice_is_refused(two, tmp_path):
    with pytest.raises(ConfigError, match="the same run"):
        write_report([two[0], two[0]], tmp_path / "x.html")


def test_a_run_without_a_finished_question_is_refused(tmp_path):
    folder = make_run(tmp_path / "a", [], questions=3, results=False)
    with pytest.raises(DatasetError, match="no finished question"):
        write_report([folder], tmp_path / "x.html")


def test_records_of_another_shape_are_refused(tmp_path):
    folder = make_run(tmp_path / "a", scored([0.1]), results=False)
    other = make_run(
        tmp_path / "b",
        scored([0.1], steps=[{"node": "generate", "replies": [{"no": "tokens"}]}]),
        results=False,
    )
    assert folder.exists()
    with pytest.raises(DatasetError, match=r"line 1 holds no record of a question \(steps.0"):
        write_report([other], tmp_path / "x.html")


def test_without_the_drawing_package_the_graph_is_text(tmp_path, monkeypatch):
    def missing(text):
        raise MissingExtraError("pictures need mermaidx")

    monkeypatch.setattr(graph_pictures, "_svg_address", SVG_ADDRESS.__wrapped__)
    monkeypatch.setattr("graph.drawing.to_svg", missing)
    write_report([make_run(tmp_path / "a", scored([0.1]))], tmp_path / "report.html")
    tree = parsed(tmp_path / "report.html")
    assert tree.xpath("//section[@id='graphs']//img") == []
    assert "graph LR;" in text_of(tree, "//section[@id='graphs']")


def test_what_holds_for_all_runs_is_noted_once(report, tmp_path):
    def unjudged(values):
        return [
            {**scored_record, "metrics": {**scored_record["metrics"], "LLM_judge": None}}
            for scored_record in scored(values)
        ]

    page = text_of(
        report(
            make_run(tmp_path / "a", unjudged([0.4, 0.5]), config="extract"),
            make_run(tmp_path / "b", unjudged([0.6, 0.5]), config="semantic"),
            make_run(tmp_path / "c", unjudged([0.3, 0.1]), config="keyword"),
        )
    )
    assert page.count("LLM_judge: no run has a value, left out.") == 1
