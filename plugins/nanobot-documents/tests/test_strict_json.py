"""The JSON loader takes what JSON is and refuses what parsers disagree on."""

from __future__ import annotations

import json
import math
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nanobot_documents.strict_json import JsonError, kind_of, loads

relaxed = settings(deadline=None)  # a busy machine is no defect

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**99), 10**99)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@relaxed
@given(VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_reads_what_json_writes(value: object, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert loads(text) == value
    assert loads(text.encode()) == value


@relaxed
@given(st.text(alphabet='{}[]",:\\ud8e0123nul-.tNaIfiy \n', max_size=40))
def test_never_accepts_more_than_json_and_raises_one_error(text: str) -> None:
    try:
        value = loads(text)
    except JsonError as error:
        assert error.line >= 1
        assert error.column >= 1
    else:
        assert json.loads(text) == value


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("", "Expecting value", 1, 1),
        ('{"a": 1,\n}', "Expecting property name", 2, 1),
        ("[1] 2", "Extra data", 1, 5),
        ('{"a": 1,\n "b": {}, "a": 2}', "same key twice", 2, 11),
        ('{"a": {"b": 1,\n"\\u0062": 2}}', "same key twice", 2, 1),
        ('{"a": 1, "a": 2', "Expecting", 1, 16),
        ('[{"x{": "}", "x{": 1}]', "same key twice", 1, 14),
        ("[NaN]", "NaN", 1, 2),
        ("[-Infinity]", "NaN", 1, 2),
        ("[\n1e999]", "too large", 2, 1),
        ('["\\ud800"]', "surrogate", 1, 2),
        ('["\\uDC00\\uD800"]', "surrogate", 1, 2),
        ('["\ud800"]', "surrogate", 1, 3),
        ("[" + "1" * 101 + "]", "100 digits", 1, 2),
        ("[" * 65 + "]" * 65, "deeper than 64", 1, 65),
        ('{"a":' * 65 + "1" + "}" * 65, "deeper than 64", 1, 321),
        (b'["\xff"]', "UTF-8", 1, 3),
        (b"[\n\xc3]", "UTF-8", 2, 1),
        (b"\xef\xbb\xbf{}", "byte order mark", 1, 1),
        ('"a\tb"', "control character", 1, 3),
    ],
)
def test_refuses_and_says_where(text: str | bytes, message: str, line: int, column: int) -> None:
    with pytest.raises(JsonError, match=message) as caught:
        loads(text)
    assert (caught.value.line, caught.value.column) == (line, column)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ('"\\\\ud800"', "\\ud800"),
        ("[" * 64 + "]" * 64, json.loads("[" * 64 + "]" * 64)),
        ("-" + "1" * 100, -int("1" * 100)),
        ('["[[[", "]"]' + " " * 100, ["[[[", "]"]),
        (json.dumps(["[" * 100]), ["[" * 100]),
        (json.dumps([[1]] * 100), [[1]] * 100),
    ],
)
def test_accepts_what_only_looks_refused(text: str, value: object) -> None:
    assert loads(text) == value


def test_nesting_beyond_the_interpreter_is_refused_without_recursion() -> None:
    for text in ("[" * 1_000_000, '{"a":' * 200_000):
        with pytest.raises(JsonError, match="deeper"):
            loads(text)
    deep = sys.getrecursionlimit() // 4
    assert loads("[" * deep + "]" * deep, max_depth=deep)


def test_limits_are_the_callers() -> None:
    assert loads("[[1]]", max_depth=2) == [[1]]
    with pytest.raises(JsonError):
        loads("[[1]]", max_depth=1)
    with pytest.raises(JsonError):
        loads("123", max_int_digits=2)
    assert math.isclose(loads("1e308"), 1e308)


def test_the_error_does_not_quote_the_text() -> None:
    for text in ('{"apiKey": "CANARY" "b"}', '{"CANARY": 1, "CANARY": 2}', '["CANARY\\ud800"]'):
        with pytest.raises(JsonError) as caught:
            loads(text)
        assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("text", ["1E309.", "[1e999,2.]", "-1e400-"])
def test_a_refused_number_before_other_faults_is_told(text: str) -> None:
    with pytest.raises(JsonError, match="too large"):
        loads(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("{}", "an object"),
        ("[]", "a list"),
        ('"CANARY"', "a string"),
        ("true", "a boolean"),
        ("1", "an integer"),
        ("1.0", "a number"),
        ("null", "null"),
    ],
)
def test_every_kind_of_value_has_a_name(text: str, kind: str) -> None:
    assert kind_of(loads(text)) == kind
