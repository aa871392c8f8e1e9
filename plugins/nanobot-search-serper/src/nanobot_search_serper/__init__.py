"""Web search with Serper."""
