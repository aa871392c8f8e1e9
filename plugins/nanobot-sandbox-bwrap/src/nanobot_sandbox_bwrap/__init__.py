"""Confine commands with bubblewrap."""
