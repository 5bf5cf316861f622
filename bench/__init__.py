"""Measurements of speed, memory and retrieval quality; a ratio has both its sides from one process."""
