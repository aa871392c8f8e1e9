"""The standard router: which provider answers for a model that names none."""
