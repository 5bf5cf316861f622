"""What answers the questions of people and programs over a connection: the ask page, and MCP."""
