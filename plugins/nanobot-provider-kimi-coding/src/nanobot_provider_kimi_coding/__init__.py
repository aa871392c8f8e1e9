"""The models of a Kimi Code plan for nanobot."""
