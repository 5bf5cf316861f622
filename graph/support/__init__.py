"""The floor under graph and dataset: errors, terminal, files, progress."""
