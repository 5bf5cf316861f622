"""The metrics of one answer."""
