"""A JSON loader for input that is not trusted, or that people write by hand.

JSON that different parsers read differently is refused: duplicate keys, NaN and Infinity, lone
surrogates, and numbers or nesting beyond what other software holds.
"""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache
from typing import Any

_TOKENS = re.compile(
    r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]|-?\d++(?:\.\d++)?(?:[eE][+-]?\d++)?|-?[A-Za-z]++', re.DOTALL
)
_COLON = re.compile(r"\s*:")
_KINDS = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    dict: "an object",
    list: "a list",
    tuple: "a list",
}


class JsonError(ValueError):
    """Report text that is not acceptable JSON, by line and column from 1; never quotes it."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"{message} (line {line}, column {column})")
        self.message = message
        self.line = line
        self.column = column


class _Refused(Exception):
    """Stop the decoder; the place is found afterwards."""


def loads(text: str | bytes, *, max_depth: int = 64, max_int_digits: int = 100) -> Any:
    """Parse one JSON value, nested at most so deep; bytes must be UTF-8 without a byte order mark.

    Raises:
        JsonError: The text is not JSON, or is refused.
    """
    if isinstance(text, bytes):
        text = _decode(text)
    elif not text.isascii() and (half := re.search(r"[\ud800-\udfff]", text)):
        raise _fault(text, half.start(), "half of a surrogate pair")
    if text.count("[") + text.count("{") > max_depth:
        _check_depth(text, max_depth)
    try:
        value = _decoder(max_int_digits).decode(text)
    except json.JSONDecodeError as error:
        raise JsonError(error.msg, error.lineno, error.colno) from None
    except _Refused:
        _check_tokens(text, max_int_digits)
        raise JsonError("refused", 1, 1) from None
    if "\\ud" in text or "\\uD" in text:
        _check_tokens(text, max_int_digits)
    return value


def kind_of(value: object) -> str:
    """Return what a JSON value is, such as ``a string``, without showing it."""
    return next((name for kind, name in _KINDS.items() if isinstance(value, kind)), "null")


def _decode(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        raise _fault(before, len(before), "not valid UTF-8") from None
    if text.startswith("\ufeff"):
        raise JsonError("starts with a byte order mark; save it as UTF-8 without BOM", 1, 1)
    return text


@lru_cache(maxsize=8)
def _decoder(max_int_digits: int) -> json.JSONDecoder:
    def unless(refused: bool, value: Any) -> Any:
        if refused:
            raise _Refused
        return value

    return json.JSONDecoder(
        object_pairs_hook=lambda pairs: unless(len(found := dict(pairs)) < len(pairs), found),
        parse_int=lambda text: int(unless(len(text.lstrip("-")) > max_int_digits, text)),
        parse_float=lambda text: unless(math.isinf(float(text)), float(text)),
        parse_constant=lambda name: unless(True, name),
    )


def _check_depth(text: str, max_depth: int) -> None:
    depth = 0
    for found in _TOKENS.finditer(text):
        depth += (found[0] in "[{") - (found[0] in "]}")
        if depth > max_depth:
            raise _fault(text, found.start(), f"nested deeper than {max_depth} levels")


def _check_tokens(text: str, max_int_digits: int) -> None:
    """Find what the decoder's hooks refused, and lone surrogates, and say where."""
    keys: list[set[str]] = []
    for found in _TOKENS.finditer(text):
        word, start = found[0], found.start()
        digits = word.lstrip("-")
        if word in "{[":
            keys.append(set())
        elif word in "}]":
            keys.pop()
        elif word[0] == '"':
            string = json.loads(word)
            if re.search(r"[\ud800-\udfff]", string):
                raise _fault(text, start, "half of a surrogate pair in a string")
            if _COLON.match(text, found.end()):
                if string in keys[-1]:
                    raise _fault(text, start, "the same key twice in one object")
                keys[-1].add(string)
        elif digits in ("NaN", "Infinity"):
            raise _fault(text, start, "NaN and Infinity are not JSON")
        elif digits.isdigit() and len(digits) > max_int_digits:
            raise _fault(text, start, f"an integer of more than {max_int_digits} digits")
        elif digits[0].isdigit() and math.isinf(float(word)):
            raise _fault(text, start, "a number too large")


def _fault(text: str, offset: int, message: str) -> JsonError:
    line = text.count("\n", 0, offset) + 1
    return JsonError(message, line, offset - text.rfind("\n", 0, offset))
