"""Commands and advice for whoever looks after an instance of nanobot."""
