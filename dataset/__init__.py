"""Data: evaluation questions, builders and checks of tables, and the sample data in `sample/`."""

from dataset.load import Question, default_dataset, read_questions

__all__ = ["Question", "default_dataset", "read_questions"]
