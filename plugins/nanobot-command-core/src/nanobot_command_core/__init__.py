"""The slash commands that every nanobot has."""
