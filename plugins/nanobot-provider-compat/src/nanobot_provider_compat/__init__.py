"""The OpenAI chat completions dialect, for model vendors that speak it."""
