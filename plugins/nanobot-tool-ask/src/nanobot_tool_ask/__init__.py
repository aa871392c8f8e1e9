"""One tool that asks the user and waits for the answer."""
