"""Zhipu AI's GLM models for nanobot."""
