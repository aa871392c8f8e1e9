"""Volcengine Ark's models (Doubao and others) for nanobot."""
