"""The gateway: what runs for months between chat apps and an engine, and its plugins' contracts."""
