"""Skywork's agent models for nanobot."""
