"""Rolls dice for nanobot."""
