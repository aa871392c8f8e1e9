"""Claude models for nanobot."""
