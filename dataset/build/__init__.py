"""Builders: from dumps, exports and issue files to the tables that the machine reads."""
