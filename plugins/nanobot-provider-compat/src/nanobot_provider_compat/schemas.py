"""Schemas of tools in the narrow words that Gemini knows.

Source: Gemini API reference, "Schema", a part of OpenAPI 3.0; one field beyond it and the whole
request is refused ("Unknown name").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KNOWN = frozenset(
    {
        *("type", "title", "description", "nullable", "default", "pattern"),
        *("minimum", "maximum", "minLength", "maxLength"),
        *("minItems", "maxItems", "minProperties", "maxProperties"),
    }
)
_FORMATS = frozenset({"date-time", "double", "enum", "float", "int32", "int64"})

Schema = dict[str, Any]


def plain(schema: Mapping[str, Any]) -> Schema:
    """Return a schema that says the same as far as the narrow words go, never more strictly."""
    definitions = schema.get("$defs") or schema.get("definitions")
    return _plain(schema, definitions if isinstance(definitions, Mapping) else {}, ())


def _plain(schema: Any, definitions: Mapping[str, Any], inside: tuple[str, ...]) -> Schema:
    if not isinstance(schema, Mapping):  # true and false are schemas too
        return {}
    if isinstance(reference := schema.get("$ref"), str):
        name = reference.rpartition("/")[2]
        if name in inside or not isinstance(definitions.get(name), Mapping):
            return {"type": "object"}  # a schema without an end can not be written out
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _plain({**definitions[name], **rest}, definitions, (*inside, name))
    made: Schema = {}
    for key, value in schema.items():
        if key == "properties" and isinstance(value, Mapping):
            made[key] = {name: _plain(inner, definitions, inside) for name, inner in value.items()}
        elif key == "items":
            made[key] = _plain(value, definitions, inside)
        elif key in ("anyOf", "oneOf", "allOf") and isinstance(value, list):
            parts = [_plain(inner, definitions, inside) for inner in value]
            made.update(_all(parts) if key == "allOf" else _any(parts))
        elif key == "type" and isinstance(value, list):
            made.update(_any([{"type": name} for name in value]))
        elif key == "const":
            made.update(_enum([value]))
        elif key == "enum" and isinstance(value, list):
            made.update(_enum(value))
        elif _is_known(key, value):
            made[key] = value
    return made


def _is_known(key: str, value: object) -> bool:
    if key == "required":
        return isinstance(value, list)
    return key in _KNOWN or (key == "format" and str(value) in _FORMATS)


def _any(parts: list[Schema]) -> Schema:
    """Return one of several; being null is a property of the rest."""
    rest = [part for part in parts if part.get("type") != "null"]
    made: Schema = {"nullable": True} if len(rest) < len(parts) else {}
    if len(rest) == 1:
        return {**rest[0], **made}
    return {"anyOf": rest, **made} if rest else made


def _all(parts: list[Schema]) -> Schema:
    made: Schema = {}
    for part in parts:
        properties = {**made.get("properties", {}), **part.get("properties", {})}
        required = [*made.get("required", []), *part.get("required", [])]
        made.update(part)
        made.update({"properties": properties} if properties else {})
        made.update({"required": required} if required else {})
    return made


def _enum(values: list[Any]) -> Schema:
    """Return the values; only text can be enumerated."""
    return {"enum": values} if all(isinstance(value, str) for value in values) else {}
