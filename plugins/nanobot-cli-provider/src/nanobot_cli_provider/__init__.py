"""Signs in and out of model vendors, from the command line."""
