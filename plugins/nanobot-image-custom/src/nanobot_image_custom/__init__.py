"""Pictures by any server that speaks OpenAI's pictures API."""
