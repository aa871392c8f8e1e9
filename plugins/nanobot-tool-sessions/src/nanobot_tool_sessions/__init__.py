"""Tools that list, search and read earlier conversations."""
