"""Xiaomi's MiMo models for nanobot."""
