"""The steps of the graph: one module a node, each a pure function from state to update."""
