"""Pictures: the tool that models draw with, and the kind that vendors plug into."""
