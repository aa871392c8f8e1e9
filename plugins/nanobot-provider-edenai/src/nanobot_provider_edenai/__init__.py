"""Eden AI's models for nanobot."""
