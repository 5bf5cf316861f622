"""The report: one HTML file with the comparison of runs and the trace of every question."""
