"""The metrics of ragas, asked of the local model."""
