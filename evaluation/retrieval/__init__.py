"""How well retrieval finds what it should: rankings against relevance judgments."""
