"""OpenAI models for nanobot."""
