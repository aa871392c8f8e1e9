"""Read what a model gives as arguments; numbers beyond a limit are taken as the limit."""

from __future__ import annotations

from collections.abc import Mapping

from nanobot.errors import ToolError

Arguments = Mapping[str, object]


def text(arguments: Arguments, name: str, alias: str = "") -> str:
    """Return a text, empty when it is not given."""
    given = [arguments[key] for key in (name, alias) if arguments.get(key) not in (None, "")]
    value = given[0] if given else ""
    if not isinstance(value, str):
        raise ToolError(f"`{name}` must be text.", kind="bad_arguments")
    if given[1:] not in ([], [value]):
        raise ToolError(
            f"`{name}` and `{alias}` mean the same; give one of them.", kind="bad_arguments"
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ToolError(f"`{name}` holds half a character.", kind="bad_arguments") from None
    return value


def word(arguments: Arguments, name: str, alias: str = "") -> str:
    """Return a text that the system takes as a name or an argument."""
    value = text(arguments, name, alias)
    if "\x00" in value:
        raise ToolError(f"`{name}` holds a NUL character.", kind="bad_arguments")
    return value


def whole(arguments: Arguments, name: str, low: int, high: int) -> int | None:
    """Return a whole number, None when it is not given."""
    value = arguments.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise ToolError(f"`{name}` must be a whole number.", kind="bad_arguments")
    return min(max(value, low), high)


def flag(arguments: Arguments, name: str) -> bool:
    """Return a switch, off when it is not given."""
    value = arguments.get(name) or False
    if not isinstance(value, bool):
        raise ToolError(f"`{name}` must be true or false.", kind="bad_arguments")
    return value
