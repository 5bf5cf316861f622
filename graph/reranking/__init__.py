"""Learned reranking: features of a candidate that need no reference, and a fitted formula of them."""
