"""Arguments of tool calls: repaired where that is harmless, else refused with every fault named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nanobot._agent.arguments import parse
from nanobot.errors import ToolError

SHELL: dict[str, object] = {
    "type": "object",
    "properties": {"command": {"type": "string"}, "timeout": {"type": "integer"}},
    "required": ["command"],
}


def attempt(text: str, schema: dict[str, object] = SHELL) -> Any:
    """Return the arguments, or the error."""
    try:
        return parse(text, schema)
    except ToolError as error:
        assert error.kind == "bad_arguments" and error.message.startswith("invalid arguments: ")
        return error


def refused(text: str, schema: dict[str, object]) -> str:
    """Return the words of the refusal."""
    error = attempt(text, schema)
    assert isinstance(error, ToolError), f"{text} gave {error}"
    return error.message.removeprefix("invalid arguments: ")


def test_corpus(corpus: Any) -> None:
    for item in corpus("tool_args"):
        made = attempt(item["input"])
        expected, why = item["expected"], item["why"]
        if expected == "error":
            assert isinstance(made, ToolError), why
        elif expected == "repaired":
            assert isinstance(made, dict), why
        elif expected == "error_or_empty_args":
            assert isinstance(made, ToolError) or made == {}, why
        elif expected == "clamped":
            assert made == {"timeout": 999_999_999, "command": "a"}, "the tool knows its bounds"
        else:
            assert expected == "repaired_or_error", expected
            assert isinstance(made, ToolError) or made["command"] in ("echo hi", "a"), why


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"command": "a"}', {"command": "a"}),
        ('{"command": "a", "timeout": "60"}', {"command": "a", "timeout": 60}),
        ('{"command": "a", "timeout": 60.0}', {"command": "a", "timeout": 60}),
        ('{"command": "a", "timeout": null}', {"command": "a"}),
        ('{"command": "echo hi"', {"command": "echo hi"}),
        (' {"command": "a"} \n', {"command": "a"}),
        ('{"arguments": {"command": "a"}}', {"command": "a"}),
        ('{"arguments": "{\\"command\\": \\"a\\"}"}', {"command": "a"}),
        ('"{\\"command\\": \\"a\\"}"', {"command": "a"}),
        ('{"command": "a", "extra": [1]}', {"command": "a", "extra": [1]}),
        ('{"command": "\\ud83d\\ude00"}', {"command": "😀"}),
    ],
)
def test_harmless_slips_are_repaired(text: str, value: dict[str, object]) -> None:
    assert attempt(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "[]",
        "1",
        '"a"',
        "true",
        "{",
        "}",
        "{}",
        "no json",
        '{"command": "echo h',
        '{"command": "a", "timeout": 6',
        '{"command": "a"}}',
        '{"command": ["a"]}',
        '{"command": null}',
        '{"command": true}',
        '{"command": "a", "timeout": true}',
        '{"command": "a", "timeout": 1.5}',
        '{"command": "a", "timeout": "soon"}',
        '{"command": "a", "timeout": "1e999"}',
        '{"command": "a", "timeout": NaN}',
        '{"command": "a", "timeout": ' + "9" * 5000 + "}",
        '{"command": "\\ud800"}',
        '{"command": "a", "command": "b"}',
        '{"arguments": [1]}',
        '{"arguments": null}',
        '{"x":' * 5000,
        "[" * 100_000,
        '{"command": "a\x00b"}',
        '{"command": "a\\u0000b"}',
        "{'command': 'a'}",
        '{"command": "a",}',
    ],
)
def test_what_can_not_be_meant_is_refused(text: str) -> None:
    assert isinstance(attempt(text), ToolError)


def test_every_fault_is_named() -> None:
    schema: dict[str, object] = {
        "type": "object",
        "properties": {
            "path": {"type": "string", "minLength": 1},
            "mode": {"enum": ["r", "w"]},
            "lines": {"type": "array", "items": {"type": "integer"}, "maxItems": 2},
            "range": {
                "type": "object",
                "properties": {"from": {"type": "integer", "minimum": 1}},
                "required": ["to"],
            },
        },
        "required": ["path", "mode"],
        "additionalProperties": False,
    }
    text = '{"path": "", "lines": [1, "x", 3], "range": {"from": 0}, "pth": 1}'
    words = refused(text, schema)
    for fault in (
        "missing required mode",
        "path length must be at least 1",
        "lines count must be at most 2",
        "lines[1] must be integer, not a string",
        "missing required range.to",
        "range.from must be at least 1",
        "unknown pth; known are lines, mode, path, range",
    ):
        assert fault in words


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": ["string", "null"]}, ["a", None], [1, []]),
        ({"type": "string", "nullable": True}, ["a", None], [1]),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, [1, None, "7"], ["a", {}]),
        ({"oneOf": [{"enum": ["a"]}, {"type": "integer", "maximum": 3}]}, ["a", 2], ["b", 4]),
        ({"type": "boolean"}, [True, "false", "YES"], [1, "maybe", None]),
        ({"type": "number", "minimum": 0}, [0, 1.5, "2.5"], [-1, "-0.5", "nan", True]),
        ({"enum": [1, "two"]}, [1, "two"], [3, [], {}]),
        ({"type": "array", "minItems": 1}, [[1]], [[], "x", {}]),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, [{"a": 1}], [{"a": []}]),
        ({}, [1, "a", None, [], {}], []),
        ({"type": "string", "maxLength": 2}, ["ab"], ["abc"]),
    ],
)
def test_schemas(schema: dict[str, object], good: list[Any], bad: list[Any]) -> None:
    outer: dict[str, object] = {"type": "object", "properties": {"v": schema}, "required": ["v"]}
    for value in good:
        assert isinstance(attempt(json.dumps({"v": value}), outer), dict), value
    for value in bad:
        assert isinstance(attempt(json.dumps({"v": value}), outer), ToolError), value


def test_what_stands_beside_alternatives_holds_too() -> None:
    """As servers write "one of these must be given" beside the properties."""
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "path": {"type": "string"}, "url": {}},
        "anyOf": [{"required": ["path"]}, {"required": ["url"]}],
    }
    assert attempt('{"path": "a", "n": "3"}', schema) == {"path": "a", "n": 3}
    assert "n must be integer" in refused('{"url": 1, "n": "x"}', schema)
    assert "missing required path" in refused('{"n": 1}', schema)


def test_a_property_may_take_anything() -> None:
    schema: dict[str, object] = {"properties": {"any": True}, "additionalProperties": False}
    assert attempt('{"any": [1]}', schema) == {"any": [1]}
    assert "unknown other" in refused('{"other": 1}', schema)


@pytest.mark.parametrize("required", [True, "v", [["v"]], {"v": 1}, 3])
def test_an_odd_list_of_what_is_required_is_no_crash(required: Any) -> None:
    schema = {"properties": {"v": {"type": "string"}}, "required": required}
    attempt('{"v": null}', schema)
    assert attempt('{"v": "a"}', schema) == {"v": "a"} or required == [["v"]]


def test_arguments_may_be_a_name_of_the_tools_own() -> None:
    schema: dict[str, object] = {"properties": {"arguments": {"type": "array"}}}
    assert attempt('{"arguments": [1]}', schema) == {"arguments": [1]}


# --- whatever a model or a server writes --------------------------------------------------------

_TEXT = st.one_of(
    st.text(max_size=60),
    st.text(alphabet='{}[]":,\\ntrue0123456789.eE+-\ud800ab ', max_size=60),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["command", "timeout", "arguments", "x"]), inner, max_size=4
            )
        ),
        max_leaves=8,
    ).map(json.dumps),
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["string", "integer", "v"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "properties",
                    "required",
                    "items",
                    "enum",
                    "anyOf",
                    "oneOf",
                    "minimum",
                    "maxLength",
                    "additionalProperties",
                    "nullable",
                    "v",
                    "command",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(text=_TEXT, cut=st.integers(0, 80))
def test_no_text_raises_anything_else(text: str, cut: int) -> None:
    for piece in (text, text[:cut]):
        made = attempt(piece)
        if isinstance(made, dict):
            assert isinstance(made["command"], str) and "\x00" not in made["command"]
            assert type(made.get("timeout", 0)) is int


@settings(max_examples=300, deadline=None)
@given(text=_TEXT, schema=st.dictionaries(st.text(max_size=3), _JSON, max_size=3) | _JSON)
def test_no_schema_raises_anything_else(text: str, schema: Any) -> None:
    """Schemas come from servers too."""
    attempt(text, schema if isinstance(schema, dict) else {"properties": {"v": schema}})


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["command", "timeout", "a", "b"]),
        st.integers(-(10**9), 10**9) | st.text(alphabet="abc é😀", max_size=8),
        max_size=4,
    )
)
def test_valid_arguments_pass_as_they_are(value: dict[str, Any]) -> None:
    value["command"] = "run"
    value.pop("timeout", None)
    assert attempt(json.dumps(value)) == value
