"""Faults made on purpose: kills, errors of the disk, flipped bits and generated inputs, counted.

`make faults` runs all of them, `make test` a small share. Each module has one kind of fault or a few
that belong together; `harness.py` runs the cases and counts, `commands.py` has the commands that the
cases run. A case depends on the seed, its kind and its number alone, so it can be repeated alone.
"""
