"""Schemas as servers write them, and as vendors accept them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from nanobot_tool_mcp.schema import MAX_NODES, repair

REFUSED = {
    *("$ref", "$defs", "definitions", "$schema", "$id", "oneOf", "allOf", "not", "if", "then"),
    *("patternProperties", "dependentSchemas", "unevaluatedProperties", "prefixItems", "const"),
}


def parts(schema: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(schema, Mapping):
        yield schema
        for key, value in schema.items():
            nested = value.values() if key == "properties" else [value]
            for one in nested:
                yield from parts(one)
    elif isinstance(schema, list):
        for one in schema:
            yield from parts(one)


def arguments(**properties: object) -> dict[str, object]:
    return {"type": "object", "properties": properties}


def only(schema: object) -> Any:
    """Return the repaired schema of the one argument ``a``."""
    return repair(arguments(a=schema)).schema["properties"]["a"]


@pytest.mark.parametrize(
    "schema",
    [
        {},
        None,
        True,
        [],
        {"type": "object"},
        {"properties": None, "required": "a"},
        {"properties": {"a": {"type": "string"}}, "required": ["a", "b", 3]},
        {"$ref": "#/definitions/A", "definitions": {"A": arguments(a={"type": "string"})}},
        {"anyOf": [arguments(a={}), arguments(b={})], "$schema": "http://json-schema.org/draft-04"},
        {"allOf": [arguments(a={"type": "string"}), {"required": ["a"]}]},
        arguments(a={"type": "array", "items": [{"type": "string"}, {"type": "number"}]}),
        arguments(a={"type": "array", "prefixItems": [{"type": "string"}]}),
        arguments(a={"type": "array"}, b={"items": {"type": "string"}}, c=True, d=False),
        arguments(a={"type": "any"}, b={"type": ["string", "integer"]}, c={"type": None}),
        arguments(a={"if": {}, "then": {}, "not": {}, "patternProperties": {"^x": {}}}),
        arguments(a={"minimum": 3, "exclusiveMinimum": True, "required": True}),
    ],
)
def test_whatever_comes_is_an_object_of_known_words(schema: object) -> None:
    made = repair(schema).schema
    assert made["type"] == "object"
    assert isinstance(made["properties"], dict)
    assert set(made["required"]) <= set(made["properties"])
    assert not {"anyOf", "oneOf", "allOf", "$ref"} & set(made)
    for part in parts(made):
        assert not REFUSED & set(part)
        assert part.get("type") in {
            *(None, "object", "array", "string", "integer", "number", "boolean")
        }
        if part.get("type") == "array":
            assert "items" in part
        if part.get("type") == "object":
            assert set(part.get("required", [])) <= set(part["properties"])


def test_references_are_put_in_with_what_stands_beside_them() -> None:
    schema = {
        **arguments(a={"$ref": "#/$defs/City", "description": "Where"}),
        "$defs": {"City": {"type": "string", "description": "A city", "minLength": 2}},
    }
    made = repair(schema).schema["properties"]["a"]
    assert made == {"type": "string", "description": "Where", "minLength": 2}


def test_references_that_recur_or_lead_nowhere_become_anything() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "v": {}}}
    schema = {**arguments(a={"$ref": "#/$defs/Node"}), "$defs": {"Node": node}}
    made = repair(schema).schema["properties"]["a"]
    assert made["properties"]["next"] == {}
    assert only({"$ref": "https://evil.test/schema.json"}) == {}
    assert only({"$ref": "#/$defs/Missing"}) == {}
    assert only({"$ref": "#"})["properties"]["a"] == {}


def test_a_schema_that_unfolds_without_end_is_cut() -> None:
    levels = {
        f"L{n}": arguments(**{f"p{i}": {"$ref": f"#/$defs/L{n + 1}"} for i in range(10)})
        for n in range(12)
    }
    made = repair({**arguments(a={"$ref": "#/$defs/L0"}), "$defs": levels}).schema
    assert sum(1 for _ in parts(made)) < 2 * MAX_NODES
    deep: dict[str, object] = {}
    for _ in range(5_000):
        deep = {"type": "array", "items": deep}
    assert sum(1 for _ in parts(repair(arguments(a=deep)).schema)) < 50


@pytest.mark.parametrize(
    "nullable",
    [
        {"type": ["string", "null"], "default": None},
        {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        {"oneOf": [{"type": "null"}, {"type": "string"}]},
        {"anyOf": [{"type": "string"}, {"const": None}]},
        {"anyOf": [{"type": "string"}, {"enum": [None]}]},
    ],
)
def test_nullable_arguments_lose_the_null(nullable: object) -> None:
    assert only(nullable) == {"type": "string"}


def test_what_must_be_there_but_may_be_null_is_sent_as_null() -> None:
    schema = {
        **arguments(a={"type": ["string", "null"]}, b={"type": "string"}),
        "required": ["a", "b"],
    }
    repaired = repair(schema)
    assert repaired.schema["required"] == ["b"]
    assert repaired.nulls == {"a"}


def test_types_are_told_from_the_rest() -> None:
    assert only({"enum": ["a", "b", None]}) == {"enum": ["a", "b"], "type": "string"}
    assert only({"enum": [1, "b"]}) == {"enum": [1, "b"]}
    assert only({"const": True}) == {"enum": [True], "type": "boolean"}
    assert only({"properties": {"x": {}}})["type"] == "object"
    assert only({"items": {"type": "string"}})["type"] == "array"
    assert only({"minimum": 3, "exclusiveMinimum": True}) == {"exclusiveMinimum": 3}
    assert only({"exclusiveMaximum": 5}) == {"exclusiveMaximum": 5}


def test_alternatives_at_the_top_become_one_object() -> None:
    one = {**arguments(a={"type": "string"}, c={"type": "string"}), "required": ["a", "c"]}
    other = {**arguments(b={"type": "string"}, c={"type": "string"}), "required": ["b", "c"]}
    made = repair({"oneOf": [one, other]}).schema
    assert set(made["properties"]) == {"a", "b", "c"}
    assert made["required"] == ["c"]
