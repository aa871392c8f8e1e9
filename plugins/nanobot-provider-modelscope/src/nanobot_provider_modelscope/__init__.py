"""ModelScope's API-Inference models for nanobot."""
