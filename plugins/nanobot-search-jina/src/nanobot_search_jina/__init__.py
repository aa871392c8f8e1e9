"""Web search with Jina."""
