"""The fit of learned reranking on finished runs."""
