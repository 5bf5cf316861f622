"""Tables and lines for the terminal and for summary.md."""
