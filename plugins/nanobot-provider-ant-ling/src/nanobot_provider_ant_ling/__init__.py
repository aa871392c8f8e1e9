"""Ant Group's Ling and Ring models for nanobot."""
