"""Web search with DuckDuckGo."""
