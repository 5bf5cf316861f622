"""The parts of an index: each nominates its best posts, and scores those that others nominate."""
