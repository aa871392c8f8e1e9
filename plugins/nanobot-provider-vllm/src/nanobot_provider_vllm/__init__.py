"""Models on a vLLM server for nanobot."""
