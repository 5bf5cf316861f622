"""Data in: the shape of evaluation questions, and the sample data in `sample/`."""

from dataset.load import default_dataset, parse_questions
from dataset.schema import Question

__all__ = ["Question", "default_dataset", "parse_questions"]
