"""Tools, resources and prompts of MCP servers, as tools of nanobot."""
