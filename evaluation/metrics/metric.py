"""A metric of answers: its name, the model behind it, and its score of many answers.

Scores are in [0, 1], on the answer alone. None means unscored: there is no reference, the reference
has nothing that the metric compares, or the judge gave no readable verdict. An empty answer is an answer and scores 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evaluation.metrics.normal_text import normal_text

if TYPE_CHECKING:
    from graph.retrieval.encoder import Encoder

MetricScores = dict[str, float | None]
"""The scores of one answer, by the name of the metric."""
BatchScore = Callable[[Sequence[str], Sequence[str], "Encoder | None"], list[float | None]]
"""The function from answers, references and an encoder to one score for each answer."""


@dataclass(frozen=True)
class Metric:
    """A metric of an answer."""

    name: str
    """The key in journals and in metrics.json."""
    short_name: str
    """The heading where a table has little room."""
    score: BatchScore | None = None
    """None for a judge, whose score is not computed from the texts, and if `by_question`."""
    measured_by: str | None = None
    """The field of a run's identity that names the model behind the metric, as in `embedder`."""
    by_question: bool = False
    """Whether the dataset says for each question what scores; other datasets lack the metric."""

    @property
    def judge(self) -> bool:
        """Whether a judge gives the score: only final answers have it, drafts have none."""
        return self.score is None and not self.by_question


def scored_one_by_one(score: Callable[[str, str], float]) -> BatchScore:
    """Return the score of many answers from the score of one answer and its reference.

    `score` is called for non-empty answers with a reference only, both as `normal_text`.
    """

    def score_all(
        answers: Sequence[str], references: Sequence[str], encoder: "Encoder | None"
    ) -> list[float | None]:
        del encoder  # The score compares texts, not vectors.
        return [
            (score(normal_text(answer), normal_text(reference)) if answer else 0.0)
            if reference
            else None
            for answer, reference in zip(answers, references, strict=True)
        ]

    return score_all
