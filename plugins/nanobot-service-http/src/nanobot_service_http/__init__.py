"""The gateway's one HTTP server, and the extension point for what it serves."""
