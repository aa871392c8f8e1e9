"""Reads web pages on this machine."""
