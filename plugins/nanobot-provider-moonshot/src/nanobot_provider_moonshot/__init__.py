"""Moonshot AI's Kimi models for nanobot."""
