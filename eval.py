"""Evaluate a config: python eval.py --config semantic_cot (see --help)."""

from evaluation.commands.eval_command import main
from graph.support import terminal

if __name__ == "__main__":
    terminal.run(main)
