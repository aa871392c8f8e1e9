"""File tools for nanobot: read, write, edit, list, find and search."""
