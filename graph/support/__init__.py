"""The base of graph and dataset: errors, logger, terminal, progress, files."""
