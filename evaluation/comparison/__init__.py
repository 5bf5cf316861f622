"""Comparing runs: paired differences, their intervals, tests, and what the runs do not share."""
