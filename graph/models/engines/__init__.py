"""Engines: what runs a model, many prompts in one call."""
