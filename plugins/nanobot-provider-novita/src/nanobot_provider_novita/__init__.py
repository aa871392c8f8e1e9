"""Novita AI's models for nanobot."""
