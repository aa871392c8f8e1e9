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

    def folder(self) -> str:
        """Return the folder to look in; the workspace when none is named."""
        return self.text("path", ".").strip() or "."

    def number(self, name: str, default: int, *, least: int, most: int = 2**62) -> int:
        """Return a whole number within bounds."""
        value = self._values.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            bounds = f"of at least {least}" if most == 2**62 else f"from {least} to {most}"
            raise ToolError(f"'{name}' must be a whole number {bounds}.", kind="bad_argument")
        return value

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
