"""NVIDIA's hosted NIM models for nanobot."""
