"""A tool call's arguments: from the model's text to values that are valid against the tool's
schema.

Harmless slips are repaired (a number in quotes, a wrapped object, a missing end brace); everything
else is an error that tells the model what to change. Nothing is ever guessed that the model did not
write.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nanobot.errors import ToolError
from nanobot_documents import strict_json

_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})
_MISSING = object()


def parse(text: str, schema: Mapping[str, object]) -> dict[str, object]:
    """Return the arguments of a call.

    Args:
        text: The JSON text as the model wrote it.
        schema: JSON Schema of the tool's arguments.

    Raises:
        ToolError: kind ``bad_arguments``, with every fault named.
    """
    value = _load(text)
    properties = schema.get("properties")
    names = properties if isinstance(properties, Mapping) else {}
    if set(value) == {"arguments"} and "arguments" not in names:
        inner = value["arguments"]
        value = _load(inner) if isinstance(inner, str) else inner
    if not isinstance(value, dict):
        raise _refuse([f"expected an object, got {_kind(value)}"])
    faults: list[str] = []
    cast = _check(value, schema, "", faults)
    if faults:
        raise _refuse(faults)
    assert isinstance(cast, dict)
    return cast


def _refuse(faults: list[str]) -> ToolError:
    return ToolError("invalid arguments: " + "; ".join(faults[:8]), kind="bad_arguments")


def _load(text: str) -> Any:
    if not text.strip():
        return {}
    try:
        value = strict_json.loads(text)
    except strict_json.JsonError as error:
        closed = _close(text)
        if closed is None:
            raise _refuse([f"not valid JSON: {error}; send one complete JSON object"]) from None
        try:
            value = strict_json.loads(closed)
        except strict_json.JsonError:
            raise _refuse([f"not valid JSON: {error}; send one complete JSON object"]) from None
    if isinstance(value, str) and value.lstrip().startswith("{"):  # encoded twice
        return _load(value)
    if not isinstance(value, dict):
        raise _refuse([f"expected a JSON object, got {_kind(value)}"])
    return value


def _close(text: str) -> str | None:
    """Return the text with end braces added, when it was cut after a complete value.

    A text cut within a string is not closed: its value would be one that the model never wrote.
    """
    stack: list[str] = []
    in_string = escaped = False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "{[":
            stack.append("}" if character == "{" else "]")
        elif character in "}]" and (not stack or stack.pop() != character):
            return None
    complete = text.rstrip()[-1:] in {'"', "}", "]"} and not in_string
    return text + "".join(reversed(stack)) if stack and complete else None


def _check(value: object, schema: Mapping[str, object], path: str, faults: list[str]) -> object:
    """Return the value cast to what the schema wants; add what is wrong to the faults."""
    for word in ("anyOf", "oneOf"):
        options = schema.get(word)
        if isinstance(options, list) and options:
            beside = {key: part for key, part in schema.items() if key != word}
            cast = _check(value, beside, path, faults)
            return _check_any(cast, [o for o in options if isinstance(o, Mapping)], path, faults)
    kinds = schema.get("type")
    wanted = kinds if isinstance(kinds, list) else [kinds] if kinds else []
    if value is None and (not wanted or "null" in wanted or schema.get("nullable") is True):
        return None
    cast = value
    if wanted:
        cast = next((c for k in wanted if (c := _cast(value, str(k))) is not _MISSING), _MISSING)
        if cast is _MISSING:
            faults.append(f"{path or 'arguments'} must be {' or '.join(map(str, wanted))}, ")
            faults[-1] += f"not {_kind(value)}"
            return value
    _check_bounds(cast, schema, path, faults)
    if isinstance(cast, dict):
        return _check_object(cast, schema, path, faults)
    items = schema.get("items")
    if isinstance(cast, list) and isinstance(items, Mapping):
        return [_check(item, items, f"{path}[{n}]", faults) for n, item in enumerate(cast)]
    return cast


def _check_any(
    value: object, options: list[Mapping[str, object]], path: str, faults: list[str]
) -> object:
    tried: list[str] = []
    for option in options:
        attempt: list[str] = []
        cast = _check(value, option, path, attempt)
        if not attempt:
            return cast
        tried = tried or attempt
    faults.extend(tried)
    return value


def _check_object(
    value: dict[str, object], schema: Mapping[str, object], path: str, faults: list[str]
) -> dict[str, object]:
    properties = schema.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    listed = schema.get("required")
    required = tuple(map(str, listed)) if isinstance(listed, list | tuple) else ()
    for name in required:
        if name not in value:
            faults.append(f"missing required {_join(path, name)}")
    extra = schema.get("additionalProperties", True)
    out: dict[str, object] = {}
    for name, item in value.items():
        where = _join(path, name)
        if name in known and isinstance(known[name], Mapping):
            if item is None and name not in required:
                continue  # models write null for "not given"
            out[name] = _check(item, known[name], where, faults)
        elif isinstance(extra, Mapping) and name not in known:
            out[name] = _check(item, extra, where, faults)
        elif extra is not False or known.get(name) is True:
            out[name] = item
        else:
            faults.append(f"unknown {where}; known are {', '.join(sorted(map(str, known)))}")
    return out


def _check_bounds(
    value: object, schema: Mapping[str, object], path: str, faults: list[str]
) -> None:
    where = path or "arguments"
    choices = schema.get("enum")
    if isinstance(choices, list | tuple) and value not in choices:
        faults.append(f"{where} must be one of {', '.join(map(str, choices))}")
    if isinstance(value, str):
        _check_size(len(value), schema, "minLength", "maxLength", f"{where} length", faults)
        if "\x00" in value:
            faults.append(f"{where} contains a NUL character")
    elif isinstance(value, list):
        _check_size(len(value), schema, "minItems", "maxItems", f"{where} count", faults)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _check_size(value, schema, "minimum", "maximum", where, faults)


def _check_size(
    size: float, schema: Mapping[str, object], low: str, high: str, what: str, faults: list[str]
) -> None:
    least, most = schema.get(low), schema.get(high)
    if isinstance(least, int | float) and size < least:
        faults.append(f"{what} must be at least {least}")
    if isinstance(most, int | float) and size > most:
        faults.append(f"{what} must be at most {most}")


def _cast(value: object, kind: str) -> object:
    """Return the value as the given JSON type, `_MISSING` when it is none."""
    if kind == "string":
        return value if isinstance(value, str) else _MISSING
    if kind == "boolean":
        return _cast_boolean(value)
    if kind in ("integer", "number"):
        return _cast_number(value, whole=kind == "integer")
    if kind == "array":
        return value if isinstance(value, list) else _MISSING
    if kind == "object":
        return value if isinstance(value, dict) else _MISSING
    return None if kind == "null" and value is None else _MISSING


def _cast_boolean(value: object) -> object:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    return _MISSING


def _cast_number(value: object, *, whole: bool) -> object:
    if isinstance(value, bool):
        return _MISSING
    if isinstance(value, str):
        try:
            value = float(value) if not value.strip().lstrip("+-").isdigit() else int(value)
        except ValueError:
            return _MISSING
    if isinstance(value, float):
        if not math.isfinite(value):
            return _MISSING
        if whole:
            return int(value) if value.is_integer() else _MISSING
        return value
    return value if isinstance(value, int) else _MISSING


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _kind(value: object) -> str:
    names = {
        str: "a string",
        bool: "a boolean",
        int: "an integer",
        float: "a number",
        list: "a list",
        dict: "an object",
        type(None): "null",
    }
    return names.get(type(value), type(value).__name__)
