"""Alibaba Cloud's Qwen models for nanobot."""
