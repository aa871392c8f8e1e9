"""Web search with Volcengine."""
