"""Web tools: search and read, and the extension points for engines and readers."""
