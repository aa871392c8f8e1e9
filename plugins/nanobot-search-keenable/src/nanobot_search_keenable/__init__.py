"""Web search with Keenable."""
