"""The ask page: one server, one HTML page, and nothing from the network."""
