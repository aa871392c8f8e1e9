"""MiniMax's models for nanobot."""
