"""Mistral AI's models for nanobot."""
