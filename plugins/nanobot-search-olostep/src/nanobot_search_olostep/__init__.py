"""Web search with Olostep."""
