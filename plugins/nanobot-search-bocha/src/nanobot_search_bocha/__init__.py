"""Web search with Bocha."""
