"""The run folder: its journal, its manifest, and how a recorded run is read."""
