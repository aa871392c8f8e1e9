"""Speech to text by OpenAI."""
