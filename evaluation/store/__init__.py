"""The run folder: journal, manifest, and recorded runs."""
