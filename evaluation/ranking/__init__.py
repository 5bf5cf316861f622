"""Ranking quality: rankings by retrieval against relevance judgments."""
