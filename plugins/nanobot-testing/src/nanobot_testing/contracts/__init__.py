"""One contract a kind."""
