"""Repair JSON Schemas: servers write any draft, vendors accept a small part of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MAX_NODES = 2_000
"""Parts of a schema, after references are put in, that are kept."""

MAX_DEPTH = 24

Schema = dict[str, Any]

_TYPES = ("object", "array", "string", "integer", "number", "boolean")
_KEPT = (
    *("title", "description", "default", "examples", "enum", "const", "format", "pattern"),
    *("minimum", "maximum", "multipleOf", "minLength", "maxLength"),
    *("minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"),
)
_BOUNDS = (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Repaired:
    """A schema that every vendor accepts.

    Args:
        schema: An object with ``properties`` and ``required``.
        nulls: Arguments that the server requires but that may be null: when the model leaves one
            out, null is what to send.
    """

    schema: Schema
    nulls: frozenset[str] = frozenset()


def repair(schema: object) -> Repaired:
    """Return the schema of a tool's arguments without what vendors refuse.

    References are put in, nullable unions become their other arm, unknown and draft-specific
    keywords go, types that are missing and plain from the rest are added.
    """
    root = schema if isinstance(schema, Mapping) else {}
    repairer = _Repairer(root=root)
    made = _flat(repairer.part(root, 0))
    properties = made.get("properties", {})
    wanted = [name for name in _names(made.get("required")) if name in properties]
    nulls = frozenset(name for name in wanted if repairer.is_nullable(_property(root, name)))
    result: Schema = {
        "type": "object",
        "properties": properties,
        "required": [name for name in wanted if name not in nulls],
    }
    for key in ("description", "additionalProperties"):
        if key in made:
            result[key] = made[key]
    return Repaired(schema=result, nulls=nulls)


def _flat(schema: Schema) -> Schema:
    """Merge alternatives at the top, where vendors take none, into one object."""
    arms = [arm for key in ("anyOf", "oneOf") for arm in schema.get(key, []) if "properties" in arm]
    if not arms:
        return schema
    properties = dict(schema.get("properties", {}))
    for arm in arms:
        properties = {**arm["properties"], **properties}
    common = set.intersection(*(set(_names(arm.get("required"))) for arm in arms))
    required = [*_names(schema.get("required")), *sorted(common)]
    return {**schema, "properties": properties, "required": list(dict.fromkeys(required))}


def _names(value: object) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def _property(root: Mapping[str, Any], name: str) -> object:
    properties = root.get("properties")
    return properties.get(name) if isinstance(properties, Mapping) else None


@dataclass(kw_only=True, slots=True)
class _Repairer:
    root: Mapping[str, Any]
    nodes: int = 0
    open: list[str] = field(default_factory=list)

    def part(self, schema: object, depth: int) -> Schema:
        """Return one part, repaired; what recurs or grows without end becomes anything."""
        self.nodes += 1
        if not isinstance(schema, Mapping) or depth > MAX_DEPTH or self.nodes > MAX_NODES:
            return {}
        reference = schema.get("$ref")
        if isinstance(reference, str):
            if reference in self.open:
                return _described({}, schema)
            self.open.append(reference)
            made = self.part(self._target(reference), depth + 1)
            self.open.pop()
            return _described(made, schema)
        return self._plain(schema, depth)

    def is_nullable(self, schema: object) -> bool:
        """Tell whether null is one of several things that fit."""
        if not isinstance(schema, Mapping):
            return False
        if isinstance(schema.get("$ref"), str):
            return False
        kind = schema.get("type")
        arms = schema.get("anyOf") or schema.get("oneOf") or ()
        return (isinstance(kind, list) and "null" in kind) or (
            isinstance(arms, list) and any(_is_null(arm) for arm in arms)
        )

    def _target(self, reference: str) -> object:
        if not reference.startswith("#"):
            return {}
        found: object = self.root
        for step in reference.lstrip("#").split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping):
                found = found.get(step)
            elif isinstance(found, Sequence) and step.isdigit() and int(step) < len(found):
                found = found[int(step)]
            else:
                return {}
        return found

    def _plain(self, schema: Mapping[str, Any], depth: int) -> Schema:
        made: Schema = {key: schema[key] for key in _KEPT if key in schema}
        self._type(schema, made)
        self._bounds(schema, made)
        if isinstance(schema.get("properties"), Mapping):
            made["properties"] = {
                str(name): self.part(part, depth + 1) for name, part in schema["properties"].items()
            }
        if isinstance(schema.get("additionalProperties"), bool):
            made["additionalProperties"] = schema["additionalProperties"]
        elif isinstance(schema.get("additionalProperties"), Mapping):
            made["additionalProperties"] = self.part(schema["additionalProperties"], depth + 1)
        made.update(self._items(schema, depth))
        made = self._unions(schema, made, depth)
        self._infer(made)
        if made.get("type") == "object":
            made.setdefault("properties", {})
            names = [n for n in _names(schema.get("required")) if n in made["properties"]]
            names += [n for n in made.get("required", []) if n not in names]
            made.pop("required", None)
            if names:
                made["required"] = names
        if made.get("type") == "array":
            made.setdefault("items", {})
        if "default" in made and made["default"] is None:
            del made["default"]
        return made

    def _type(self, schema: Mapping[str, Any], made: Schema) -> None:
        kind = schema.get("type")
        kinds = [k for k in kind if k in _TYPES] if isinstance(kind, list) else [kind]
        if len(kinds) == 1 and kinds[0] in _TYPES:
            made["type"] = kinds[0]
        elif len(kinds) > 1:
            made["anyOf"] = [{"type": one} for one in kinds]
        if isinstance(made.get("enum"), list):
            made["enum"] = [value for value in made["enum"] if value is not None]
        else:
            made.pop("enum", None)
        if "const" in made:
            made["enum"] = [made.pop("const")]

    @staticmethod
    def _bounds(schema: Mapping[str, Any], made: Schema) -> None:
        """Read exclusive bounds of draft 4, where they are flags, and of later drafts."""
        for exclusive, plain in _BOUNDS:
            value = schema.get(exclusive)
            if value is True and plain in made:
                made[exclusive] = made.pop(plain)
            elif isinstance(value, int | float) and not isinstance(value, bool):
                made[exclusive] = value

    def _items(self, schema: Mapping[str, Any], depth: int) -> Schema:
        items = schema.get("items")
        tuples = schema.get("prefixItems") or (items if isinstance(items, list) else None)
        if isinstance(tuples, list):
            arms = [self.part(item, depth + 1) for item in tuples]
            distinct = [arm for i, arm in enumerate(arms) if arm not in arms[:i]]
            return {"items": distinct[0] if len(distinct) == 1 else {"anyOf": distinct}}
        return {"items": self.part(items, depth + 1)} if items is not None else {}

    def _unions(self, schema: Mapping[str, Any], made: Schema, depth: int) -> Schema:
        for key in ("anyOf", "oneOf"):
            arms = schema.get(key)
            if not isinstance(arms, list):
                continue
            parts = [self.part(arm, depth + 1) for arm in arms if not _is_null(arm)]
            if len(parts) == 1:
                made = {**parts[0], **made}
            elif parts:
                made["anyOf"] = parts
        merged = schema.get("allOf")
        for arm in merged if isinstance(merged, list) else []:
            part = self.part(arm, depth + 1)
            properties = {**part.pop("properties", {}), **made.get("properties", {})}
            required = [*made.get("required", []), *part.pop("required", [])]
            made = {**part, **made}
            if properties:
                made["properties"] = properties
            if required:
                made["required"] = required
        return made

    @staticmethod
    def _infer(made: Schema) -> None:
        if "type" in made or "anyOf" in made:
            return
        if "properties" in made:
            made["type"] = "object"
        elif "items" in made:
            made["type"] = "array"
        elif made.get("enum"):
            kinds = {_kind(value) for value in made["enum"]}
            if len(kinds) == 1:
                made["type"] = kinds.pop()


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _is_null(schema: object) -> bool:
    return isinstance(schema, Mapping) and (
        schema.get("type") == "null"
        or schema.get("const", "") is None
        or schema.get("enum") == [None]
    )


def _described(made: Schema, schema: Mapping[str, Any]) -> Schema:
    """Lay what stands beside a reference over its target."""
    return {**made, **{key: schema[key] for key in ("title", "description") if key in schema}}
