"""Regular expressions that can not freeze anything.

RE2 takes time linear in the text for every pattern and bounds its memory, where the backtracking
engines of `re` and `regex` need a guard around them. It runs without the interpreter's lock.
"""

from __future__ import annotations

from typing import Any

import re2  # type: ignore[import-untyped]
from nanobot.errors import ToolError

_MAX_MEMORY = 2 << 20  # bytes; bounds the size of a program, and so the time for each byte of text
_MAX_PATTERN = 10_000


def compile_pattern(
    pattern: str,
    *,
    fixed: bool = False,
    ignore_case: bool = False,
    whole_text: bool = False,
) -> Any:
    """Compile a pattern for bytes that are searched as UTF-8.

    Args:
        pattern: RE2 syntax.
        fixed: Take it as plain text.
        ignore_case: Ignore upper and lower case.
        whole_text: Let ``^``, ``$`` and the dot see the whole text instead of single lines.

    Raises:
        ToolError: kind ``bad_pattern``; says what RE2 does not take.
    """
    if len(pattern) > _MAX_PATTERN:
        raise _refuse(pattern, f"it is longer than {_MAX_PATTERN} characters")
    options = re2.Options()
    options.max_mem = _MAX_MEMORY
    options.log_errors = False
    options.literal = fixed
    options.never_nl = not whole_text
    options.case_sensitive = not ignore_case
    by_line = "" if fixed or whole_text else "(?m)"
    try:
        return re2.compile((by_line + pattern).encode(), options)
    except UnicodeEncodeError:
        raise _refuse(pattern, "it holds half a character (a lone surrogate)") from None
    except re2.error as error:
        reason = error.args[0] if error.args else "unknown"
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise _refuse(pattern, text) from None
    finally:
        re2.purge()  # its cache would keep the last 128 patterns with all their memory


def _refuse(pattern: str, why: str) -> ToolError:
    shown = pattern[:100].encode(errors="backslashreplace").decode()
    return ToolError(
        f"the pattern '{shown}' can not be used: {why}. The syntax is RE2: no look-around and no "
        "back-references; \\z for the end of the text. Set fixed_strings for plain text.",
        kind="bad_pattern",
    )
