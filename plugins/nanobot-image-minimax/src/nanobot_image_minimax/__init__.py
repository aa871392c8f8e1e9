"""Pictures by MiniMax."""
