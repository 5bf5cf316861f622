"""The criteria of a question: what an answer must hold, and the share of it that an answer has.

They are those of InfiBench (Li et al. 2024, "InfiBench: Evaluating the Question-Answering Capabilities of
Code Large Language Models", NeurIPS), and score an answer as the benchmark's own grader does. No code
runs, neither an answer's nor the benchmark's.

The digest of these modules is a part of a run's identity: keep only what decides about scores here.
"""

from dataset.criteria.grading import Criteria, read_criteria
from dataset.criteria.not_scorable import NotScorable

__all__ = ["Criteria", "NotScorable", "read_criteria"]
