"""The one JSON loader: for configuration, tool arguments, frames and requests.

JSON that different parsers read differently is refused: duplicate keys, NaN and Infinity, lone
surrogates, and numbers or nesting beyond what other software holds.
"""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache
from typing import Any, NoReturn

_STRING = r'"(?:[^"\\]++|\\.)*+"?'
_BRACKETS = re.compile(rf'(?:[^"\[\]{{}}]++|{_STRING})*+([\[\]{{}}])', re.DOTALL)
_TOKENS = re.compile(rf"{_STRING}|[\[\]{{}}]|-?\d[\d.eE+-]*+|-?[A-Za-z]++", re.DOTALL)
_COLON = re.compile(r"\s*:")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class JsonError(ValueError):
    """Report text that is not acceptable JSON; the message never quotes the text.

    Args:
        message: What is wrong, without the place.
        line: Line of the fault, from 1.
        column: Column of the fault, from 1.
    """

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"{message} (line {line}, column {column})")
        self.message = message
        self.line = line
        self.column = column


class _Refused(Exception):
    """Stop the decoder; the place is found afterwards."""


def loads(text: str | bytes, *, max_depth: int = 64, max_int_digits: int = 100) -> Any:
    """Parse JSON text.

    Args:
        text: One JSON value; bytes must be UTF-8 without a byte order mark.
        max_depth: Greatest nesting of objects and lists.
        max_int_digits: Greatest number of digits of an integer.

    Raises:
        JsonError: The text is not JSON, or is refused.
    """
    if isinstance(text, bytes):
        text = _decode(text)
    elif not text.isascii():
        _check_unicode(text)
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


def _decode(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise JsonError("not valid UTF-8", line, column) from None
    if text.startswith("\ufeff"):
        raise JsonError("starts with a byte order mark; save it as UTF-8 without BOM", 1, 1)
    return text


def _check_unicode(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _fault(text, error.start, "half of a surrogate pair") from None


@lru_cache(maxsize=8)
def _decoder(max_int_digits: int) -> json.JSONDecoder:
    def integer(digits: str) -> int:
        if len(digits) > max_int_digits + digits.startswith("-"):
            raise _Refused
        return int(digits)

    return json.JSONDecoder(
        object_pairs_hook=_object,
        parse_int=integer,
        parse_float=_number,
        parse_constant=_constant,
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _Refused
    return result


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Refused
    return value


def _constant(name: str) -> NoReturn:
    raise _Refused


def _check_depth(text: str, max_depth: int) -> None:
    depth = 0
    for found in _BRACKETS.finditer(text):
        depth += 1 if found[1] in "[{" else -1
        if depth > max_depth:
            raise _fault(text, found.start(1), f"nested deeper than {max_depth} levels")


def _check_tokens(text: str, max_int_digits: int) -> None:
    """Find what the decoder's hooks refused, and lone surrogates, and say where."""
    keys: list[set[str]] = []
    for found in _TOKENS.finditer(text):
        word, start = found[0], found.start()
        if word in "{[":
            keys.append(set())
        elif word in "}]":
            keys.pop()
        elif word[0] == '"':
            string = json.loads(word)
            if _SURROGATE.search(string):
                raise _fault(text, start, "half of a surrogate pair in a string")
            if _COLON.match(text, found.end()):
                if string in keys[-1]:
                    raise _fault(text, start, "the same key twice in one object")
                keys[-1].add(string)
        elif word.lstrip("-") in ("NaN", "Infinity"):
            raise _fault(text, start, "NaN and Infinity are not JSON")
        elif word not in ("true", "false", "null"):
            digits = word.lstrip("-")
            if digits.isdigit() and len(digits) > max_int_digits:
                raise _fault(text, start, f"an integer of more than {max_int_digits} digits")
            if not math.isfinite(float(word)):
                raise _fault(text, start, "a number too large")


def _fault(text: str, offset: int, message: str) -> JsonError:
    line = text.count("\n", 0, offset) + 1
    return JsonError(message, line, offset - text.rfind("\n", 0, offset))
