"""MiniMax's models over its Anthropic-compatible API for nanobot."""
