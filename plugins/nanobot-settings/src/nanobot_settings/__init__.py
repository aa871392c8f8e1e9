"""A JSON document held against pydantic models, with words for what does not fit."""
