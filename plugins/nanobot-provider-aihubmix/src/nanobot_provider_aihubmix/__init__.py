"""AiHubMix's models for nanobot."""
