"""Models on a local LM Studio server for nanobot."""
