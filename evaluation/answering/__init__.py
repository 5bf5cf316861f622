"""The way from the choices of a command line to a journal of answered and scored questions."""
