"""The prompt sections that every nanobot has."""
