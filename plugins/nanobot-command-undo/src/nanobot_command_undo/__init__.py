"""The slash command ``/undo``."""
