"""Web search with Tavily."""
