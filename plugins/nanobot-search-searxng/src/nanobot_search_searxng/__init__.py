"""Web search with SearXNG."""
