"""Intervals, tests and measures of agreement."""
