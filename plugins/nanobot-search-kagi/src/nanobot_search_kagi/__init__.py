"""Web search with Kagi."""
