"""The share of its criteria that an answer meets: keywords, blanks and similarity of the dataset.

`dataset.criteria` defines it. No model and no code runs, so nothing in an answer can bend the score but
what the criteria ask for. Answers to questions without criteria are unscored.
"""

from evaluation.metrics.metric import Metric

CRITERIA = Metric("criteria", "criteria", measured_by="criteria", by_question=True)
