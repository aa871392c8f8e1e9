"""The spellings of a name."""

from __future__ import annotations

import re


def snake(name: str) -> str:
    """Return a name in any spelling (camelCase, kebab-case) as snake_case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()


def camel(name: str) -> str:
    """Return a snake_case name as camelCase, as configuration writes it."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
