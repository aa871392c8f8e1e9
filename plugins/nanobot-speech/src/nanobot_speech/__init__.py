"""Voice messages: what was said, as text, by the vendor of one's choice."""
