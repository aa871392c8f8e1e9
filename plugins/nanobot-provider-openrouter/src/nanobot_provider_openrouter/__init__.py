"""OpenRouter's models for nanobot."""
