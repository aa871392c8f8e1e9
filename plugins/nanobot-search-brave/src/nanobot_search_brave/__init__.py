"""Web search with Brave Search."""
