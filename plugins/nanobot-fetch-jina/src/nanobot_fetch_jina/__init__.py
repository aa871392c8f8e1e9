"""Reads web pages with Jina Reader."""
