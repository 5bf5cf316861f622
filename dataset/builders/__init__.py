"""Builders of corpora and datasets from dumps, exports and issue files."""
