"""Any OpenAI-compatible endpoint as a nanobot provider."""
