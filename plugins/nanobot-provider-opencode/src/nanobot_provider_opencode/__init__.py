"""OpenCode Zen's and OpenCode Go's models for nanobot."""
