"""OpenAI models with a ChatGPT plan, through the service of the Codex command line."""
