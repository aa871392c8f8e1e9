"""Schemas in narrow words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nanobot.specs import ToolDefinition
from nanobot_provider_compat.conversation import Conversations
from nanobot_provider_compat.request import write_body
from nanobot_provider_compat.schemas import plain
from nanobot_provider_compat.vendor import Vendor
from nanobot_testing.contracts.provider import ask

KNOWN = {
    *("type", "format", "title", "description", "nullable", "enum", "default", "pattern"),
    *("required", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"),
    *("minProperties", "maxProperties", "properties", "items", "anyOf"),
}


@pytest.mark.parametrize(
    ("schema", "narrow"),
    [
        (
            {"$schema": "x", "type": "object", "additionalProperties": False, "properties": {}},
            {"type": "object", "properties": {}},
        ),
        (
            {"type": "integer", "exclusiveMinimum": 0, "minimum": 1},
            {"type": "integer", "minimum": 1},
        ),
        ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
        (
            {"type": ["string", "integer"]},
            {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        ),
        (
            {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
            {"type": "string", "nullable": True, "default": None},
        ),
        (
            {"oneOf": [{"const": "a"}, {"const": "b"}]},
            {"anyOf": [{"enum": ["a"]}, {"enum": ["b"]}]},
        ),
        ({"enum": ["a", "b"]}, {"enum": ["a", "b"]}),
        ({"type": "integer", "enum": [1, 2]}, {"type": "integer"}),
        ({"type": "string", "format": "uri"}, {"type": "string"}),
        ({"type": "string", "format": "date-time"}, {"type": "string", "format": "date-time"}),
        ({"type": "array", "items": True}, {"type": "array", "items": {}}),
        (
            {"properties": {"$ref": {"type": "string", "const": "a"}}},
            {"properties": {"$ref": {"type": "string", "enum": ["a"]}}},
        ),
        (
            {
                "allOf": [
                    {"properties": {"a": {"type": "string"}}, "required": ["a"]},
                    {"properties": {"b": {"type": "string"}}, "required": ["b"]},
                ]
            },
            {
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "required": ["a", "b"],
            },
        ),
        (
            {
                "$defs": {"P": {"type": "object", "properties": {"x": {"type": "number"}}}},
                "properties": {"p": {"$ref": "#/$defs/P", "description": "where"}},
            },
            {
                "properties": {
                    "p": {
                        "type": "object",
                        "properties": {"x": {"type": "number"}},
                        "description": "where",
                    }
                }
            },
        ),
        ({"properties": {"p": {"$ref": "#/gone"}}}, {"properties": {"p": {"type": "object"}}}),
    ],
)
def test_schemas_are_narrowed(schema: dict[str, Any], narrow: dict[str, Any]) -> None:
    assert plain(schema) == narrow


def test_a_schema_that_contains_itself_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}}}
    narrow = plain({"$defs": {"N": node}, "$ref": "#/$defs/N"})
    assert narrow == {"type": "object", "properties": {"next": {"type": "object"}}}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*sorted(KNOWN), "oneOf", "allOf", "$ref", "$defs", "const", "if"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from([*sorted(KNOWN), "oneOf", "allOf", "not", "const"]), JSON))
def test_only_known_words_are_left_of_anything(schema: dict[str, Any]) -> None:
    def check(made: dict[str, Any]) -> None:
        assert set(made) <= KNOWN
        inside = [*made.get("anyOf", ()), *made.get("properties", {}).values()]
        for inner in [*inside, made["items"]] if "items" in made else inside:
            check(inner)

    check(plain(schema))


@pytest.mark.parametrize(
    ("model", "narrow"), [("google/gemini-3.8-flash", True), ("geminid-1", False), ("m", False)]
)
def test_gemini_gets_them_from_any_vendor(model: str, narrow: bool) -> None:
    """``additionalProperties`` in the schema of one tool makes Gemini refuse every request."""
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    tool = ToolDefinition(name="t", description="d", parameters=schema)
    request = ask(model=model, tools=(tool,))
    body = json.loads(write_body(request, Vendor(), "acme", {}, Conversations()))
    sent = body["tools"][0]["function"]["parameters"]
    assert ("additionalProperties" not in sent) is narrow
