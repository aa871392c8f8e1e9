"""xAI's Grok with a Grok subscription."""
