"""Speech to text by OpenRouter."""
