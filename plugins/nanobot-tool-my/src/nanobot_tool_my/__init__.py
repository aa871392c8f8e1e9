"""One tool with which the agent knows itself."""
