"""Plugins: found by metadata (catalog), registered in fences (host), opened on use (registry)."""
