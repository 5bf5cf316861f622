"""Data out: run a graph over a dataset, keep everything that happened, and say what it shows."""
