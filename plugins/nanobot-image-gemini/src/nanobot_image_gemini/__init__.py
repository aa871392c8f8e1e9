"""Pictures by Gemini."""
