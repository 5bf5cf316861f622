"""The texts that models are sent: one module for each node that calls a model; text and its quoting."""
