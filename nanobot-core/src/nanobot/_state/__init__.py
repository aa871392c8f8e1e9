"""What an instance keeps on disk."""
