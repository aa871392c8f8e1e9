"""The comfortable terminal: `nanobot chat`, and `nanobot agent` without a message."""
