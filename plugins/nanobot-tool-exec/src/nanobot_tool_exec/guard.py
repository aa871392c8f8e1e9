"""Decide by its text whether a command may run: the owner's patterns, then the built-in hints."""

from __future__ import annotations

from collections.abc import Sequence

import regex
from nanobot.errors import ConfigError

from nanobot_tool_exec.hints import danger

_PATTERN_S = 1.0
"""How long one pattern may search; a pattern that backtracks without end refuses the command."""

_UNJUDGEABLE = ("$(", "`", "<(", ">(", "<<")


class Guard:
    """The owner's patterns, compiled.

    Args:
        allow: When there are any, every segment of a command must match one of them whole.
        deny: A command in which one is found is refused.
    """

    def __init__(self, *, allow: Sequence[str], deny: Sequence[str]) -> None:
        self._allow = [_compiled(pattern, "allowPatterns") for pattern in allow]
        self._deny = [_compiled(pattern, "denyPatterns") for pattern in deny]

    def objection(self, command: str) -> str:
        """Return why a command is refused, in words that end a sentence; empty when it is not.

        May take a second for each pattern; call it in a thread.
        """
        try:
            if self._allow:
                return self._unless_allowed(command)
            for pattern in self._deny:
                if pattern.search(command, timeout=_PATTERN_S, concurrent=True):
                    return f"it matches the pattern {pattern.pattern!r} of tools.exec.denyPatterns"
        except TimeoutError:
            return "a pattern of tools.exec takes too long on it; the owner should simplify it"
        return danger(command)

    def _unless_allowed(self, command: str) -> str:
        if any(sign in command for sign in _UNJUDGEABLE):
            return (
                "it holds a substitution or a here-document, which the patterns of "
                "tools.exec.allowPatterns can not judge"
            )
        for segment in segments(command):
            if not any(
                pattern.fullmatch(segment, timeout=_PATTERN_S, concurrent=True)
                for pattern in self._allow
            ):
                return f"{segment!r} matches no pattern of tools.exec.allowPatterns"
        return ""


def _compiled(pattern: str, field: str) -> regex.Pattern[str]:
    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise ConfigError(
            f"tools.exec.{field}: {pattern!r} is not a valid regular expression: {error}",
            remedy="Correct the pattern; in JSON, write every backslash twice.",
        ) from None


def segments(command: str) -> list[str]:
    """Split a command where an unquoted ``;``, ``|``, ``&`` or line end starts another one."""
    found = [""]
    quote = ""
    escaped = False
    for before, sign in zip("\n" + command, command, strict=False):
        if escaped:
            escaped = False
        elif sign == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign in ";|\n" or (sign == "&" and before not in "<>"):
            found.append("")
            continue
        found[-1] += sign
    return [segment.strip() for segment in found if segment.strip()]
