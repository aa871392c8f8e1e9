"""Tools that are Python files in the workspace."""
