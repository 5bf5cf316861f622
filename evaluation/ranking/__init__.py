"""Ranking quality: rankings of retrieval against relevance judgments."""
