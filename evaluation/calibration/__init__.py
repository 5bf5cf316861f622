"""The judge checked: how far any score of an answer agrees with people's grades of it."""
