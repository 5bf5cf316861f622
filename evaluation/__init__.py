"""The evaluation: runs of a graph over a dataset, their records, and what follows from them."""
