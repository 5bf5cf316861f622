"""Evaluate a config: python eval.py --config semantic_cot (see --help)."""

from evaluation.cli import main
from graph import terminal

if __name__ == "__main__":
    terminal.run(main)
