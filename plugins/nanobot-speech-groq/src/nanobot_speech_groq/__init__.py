"""Speech to text by Groq."""
