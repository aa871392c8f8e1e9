"""Pictures by OpenRouter."""
