"""Answering: from the command line's choices to a journal of answered and scored questions."""
