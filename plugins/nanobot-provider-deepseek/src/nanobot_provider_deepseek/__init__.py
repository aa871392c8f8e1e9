"""DeepSeek's models for nanobot."""
