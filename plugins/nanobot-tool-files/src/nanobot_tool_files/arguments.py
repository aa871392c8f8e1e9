"""Typed access to a call's arguments, for values that the schema can not rule out."""

from __future__ import annotations

from collections.abc import Mapping

from nanobot.errors import ToolError


class Arguments:
    """The arguments of one call.

    Args:
        values: As the host parsed them; null counts as absent.
    """

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = {key: value for key, value in values.items() if value is not None}

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text; without a default the argument is required."""
        value = self._values.get(name, default)
        if not isinstance(value, str):
            raise ToolError(f"'{name}' is required and must be a text.", kind="bad_argument")
        return value

    def items(self, name: str) -> list[Arguments]:
        """Return a list of objects; absent is empty."""
        value = self._values.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            raise ToolError(f"'{name}' must be a list of objects.", kind="bad_argument")
        return [Arguments(item) for item in value]

    def folder(self) -> str:
        """Return the folder to look in; the workspace when none is named."""
        return self.text("path", ".").strip() or "."

    def number(self, name: str, default: int, *, least: int, most: int = 2**62) -> int:
        """Return a whole number; more than the most counts as the most."""
        value = self._values.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ToolError(
                f"'{name}' must be a whole number of at least {least}.", kind="bad_argument"
            )
        return min(value, most)

    def flag(self, name: str) -> bool:
        """Return a yes or no; absent is no."""
        value = self._values.get(name, False)
        if not isinstance(value, bool):
            raise ToolError(f"'{name}' must be true or false.", kind="bad_argument")
        return value

    def choice(self, name: str, *allowed: str) -> str:
        """Return one of some words; the first is the default."""
        value = self.text(name, allowed[0])
        if value not in allowed:
            raise ToolError(f"'{name}' must be one of {', '.join(allowed)}.", kind="bad_argument")
        return value
