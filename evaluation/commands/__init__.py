"""The commands: eval.py, and one module for each command of python -m evaluation."""
