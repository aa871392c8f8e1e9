"""The HTTP side of vendors that are no language models: pictures, speech."""
