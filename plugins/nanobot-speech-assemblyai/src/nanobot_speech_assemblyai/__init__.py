"""Speech to text by AssemblyAI."""
