"""The check of a corpus or a dataset: fields, encodings, ids, duplicates, and leaks into a corpus."""
