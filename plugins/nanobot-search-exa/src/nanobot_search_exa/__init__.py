"""Web search with Exa."""
