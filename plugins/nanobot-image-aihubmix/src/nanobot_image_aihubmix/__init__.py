"""Pictures by AiHubMix."""
