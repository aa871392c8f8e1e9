"""The standard engine: one turn, from a message to its stored answer."""
