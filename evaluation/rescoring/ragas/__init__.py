"""Metrics of ragas over a finished run, with the local model behind its interface."""
