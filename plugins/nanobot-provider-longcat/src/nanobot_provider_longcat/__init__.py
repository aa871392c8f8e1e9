"""Meituan's LongCat models for nanobot."""
