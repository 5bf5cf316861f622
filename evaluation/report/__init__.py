"""The report: runs, what is distinguishable between them, and every trace, in one HTML file."""
