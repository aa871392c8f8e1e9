"""WebSocket clients as a channel of nanobot."""
