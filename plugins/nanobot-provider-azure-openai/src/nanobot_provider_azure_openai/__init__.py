"""Azure OpenAI deployments."""
