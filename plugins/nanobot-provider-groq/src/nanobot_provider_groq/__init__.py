"""Models on Groq's fast inference for nanobot."""
