"""Exports: the rows and tables of runs in the formats of other programs."""
