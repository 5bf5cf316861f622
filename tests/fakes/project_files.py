"""Paths of the project: its root folder and the sample data."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "dataset" / "sample"
SAMPLE_CORPUS = SAMPLE / "question_answer.csv"
SAMPLE_DATASET = SAMPLE / "coderepoqa_python.csv"
