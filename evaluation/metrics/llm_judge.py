"""The judge of a run as a metric: a language model's expected grade (`nodes/judge.py`)."""

from evaluation.metrics.metric import Metric

LLM_JUDGE = Metric("LLM_judge", "judge", measured_by="judge")
