"""The command ``nanobot replay``."""
