"""Scores that are added to a finished run: those of another judge and those of ragas."""
