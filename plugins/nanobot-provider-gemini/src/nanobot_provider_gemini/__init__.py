"""Google's Gemini models for nanobot."""
