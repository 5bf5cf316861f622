"""Scores that are added to a finished run: another judge's, and those of ragas."""
