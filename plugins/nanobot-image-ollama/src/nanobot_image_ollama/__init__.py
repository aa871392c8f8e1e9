"""Pictures by Ollama."""
