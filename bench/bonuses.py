"""The gain in nDCG@10 that each bonus of retrieval brings.

Run `python -m bench.bonuses [--corpus PATH --dataset PATH] [--config NAME]`. The dataset must name
relevant posts (`relevant_question_ids`). The default is the sample, whose posts have tags and votes; a
corpus without them shows no gain.

Ranks the questions with each bonus alone, at growing sizes. Prints nDCG@10 and recall@1 for each
size, and the paired difference in nDCG@10 from no bonus.
"""

import argparse
from pathlib import Path

from bench.judged_posts import format_difference
from evaluation.answering.questions import Item, load_items
from evaluation.ranking.config_means import differences, means
from evaluation.ranking.judged_queries import JudgedQuery, group_by_relevant
from evaluation.ranking.rank_measures import DEPTH, QueryScores, score_rankings
from graph.config import load_settings
from graph.retrieval import open_retriever

SAMPLE = Path("dataset/sample")
BONUSES = ("tag_bonus", "score_bonus", "accepted_bonus")
SIZES = (0.02, 0.05, 0.1, 0.2)


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    items = [item for item in load_items(arguments.dataset, None) if item.relevant_question_ids]
    queries = _queries(items)
    scores = {"none": _scores(arguments, queries, [])}
    for bonus in BONUSES:
        for size in SIZES:
            override = f"retrieval.{bonus}={size}"
            scores[f"{bonus} {size}"] = _scores(arguments, queries, [override])
    gains = {
        gain["a"]: gain
        for gain in differences(queries, scores)
        if gain["b"] == "none" and gain["metric"] == "nDCG@10" and gain["kind"] == "all"
    }
    print(f"{arguments.config}, {len(queries)} questions of {arguments.dataset}")
    for name, values in scores.items():
        row = means(queries, values)["all"]
        line = f"{name:<20} nDCG@10 {row['nDCG@10']['mean']:.3f}  R@1 {row['R@1']['mean']:.3f}"
        if name in gains:
            difference = format_difference(gains[name]["mean"], gains[name]["ci95"])
            line += f"  difference {difference}"
        print(line)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=SAMPLE / "question_answer.csv")
    parser.add_argument("--dataset", type=Path, default=SAMPLE / "coderepoqa_python.csv")
    parser.add_argument("--config", default="hybrid")
    return parser.parse_args()


def _queries(items: list[Item]) -> list[JudgedQuery]:
    relevant = [dict.fromkeys(item.relevant_question_ids, 1) for item in items]
    groups = group_by_relevant(relevant)
    return [
        JudgedQuery(item.eval_id, item.question, "all of them", judged, group)
        for item, judged, group in zip(items, relevant, groups, strict=True)
    ]


def _scores(
    arguments: argparse.Namespace, queries: list[JudgedQuery], overrides: list[str]
) -> QueryScores:
    settings = load_settings(arguments.config, "embedded", overrides)
    retriever = open_retriever(
        settings.config.retrieval, settings.profile.embedder, corpus=arguments.corpus
    )
    rankings = retriever.rank([query.text for query in queries], DEPTH)
    return score_rankings(rankings, [query.relevant for query in queries])


if __name__ == "__main__":
    main()
