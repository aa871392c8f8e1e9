"""Models on a local Ollama server for nanobot."""
