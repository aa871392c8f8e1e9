"""E-mail for nanobot."""
