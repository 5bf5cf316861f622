"""The search for leaks: which posts of a corpus repeat questions of an evaluation dataset.

The digest of these modules is a part of a run's identity: keep only what decides about posts here.
"""
