"""Models in the Atomic Chat app for nanobot."""
