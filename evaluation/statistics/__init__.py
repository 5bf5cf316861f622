"""Intervals, tests and measures of agreement, on arrays of scores."""
