"""Telegram for nanobot."""
