"""Pictures by ModelScope."""
