"""Confine commands with Landlock."""
