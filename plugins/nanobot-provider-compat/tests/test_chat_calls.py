"""Tool calls from pieces."""

from __future__ import annotations

import json
from typing import Any

import pytest
from nanobot.messages import ToolCall
from nanobot_provider_compat.calls import MAX_CALLS, BadCalls, CallCollector

Piece = dict[str, Any]


def piece(name: str | None = None, arguments: object = None, **fields: object) -> Piece:
    return {**fields, "function": {"name": name, "arguments": arguments}}


def collect(*pieces: Piece, names: tuple[str, ...] = ("read_file",)) -> tuple[ToolCall, ...]:
    collector = CallCollector(frozenset(names))
    for one in pieces:
        collector.add([one])
    return collector.result()


def told(calls: tuple[ToolCall, ...]) -> list[tuple[str, str]]:
    return [(call.name, call.arguments) for call in calls]


A, B = '{"path":"a"}', '{"path":"b"}'
READ_A, READ_B = ("read_file", A), ("read_file", B)


@pytest.mark.parametrize(
    ("pieces", "calls"),
    [
        pytest.param([piece("read_file", A, index=0, id="x")], [READ_A], id="whole"),
        pytest.param(
            [
                piece("read_file", "", index=0, id="x"),
                piece(None, A[:5], index=0),
                piece(None, A[5:], index=0),
            ],
            [READ_A],
            id="id only in the first piece",
        ),
        pytest.param(
            [
                piece("read_file", "", index=0, id="x"),
                piece("read_file", "", index=1, id="y"),
                piece(None, A[:3], index=0),
                piece(None, B[:4], index=1),
                piece(None, A[3:], index=0),
                piece(None, B[4:], index=1),
            ],
            [READ_A, READ_B],
            id="interleaved",
        ),
        pytest.param(
            [piece("read_", None, index=0, id="x"), piece("file", A, index=0)],
            [READ_A],
            id="name in pieces",
        ),
        pytest.param(
            [
                piece("read_file", A[:4], index=0, id="x"),
                piece("read_file", A[4:], index=0, id="x"),
            ],
            [READ_A],
            id="name said again",
        ),
        pytest.param(
            [piece("read_file", A, index=0, id="x"), piece("read_file", "", index=0, id="x")],
            [READ_A],
            id="name said again at the end",
        ),
        pytest.param(
            [piece("read_file", A, index=0, id="x"), piece("read_file", B, index=0, id="y")],
            [READ_A, READ_B],
            id="one index for two calls",
        ),
        pytest.param(
            [piece("read_file", A, index=0), piece("read_file", B, index=0)],
            [READ_A, READ_B],
            id="one index and no id for two calls",
        ),
        pytest.param(
            [piece("read_file", A, id="x"), piece("read_file", B, id="x")],
            [READ_A, READ_B],
            id="one id and no index for two calls",
        ),
        pytest.param(
            [
                piece("read_file", "", id="x"),
                piece(None, A[:3]),
                piece(None, A[3:]),
                piece("read_file", "", id="y"),
                piece(None, B),
            ],
            [READ_A, READ_B],
            id="no index",
        ),
        pytest.param(
            [piece("read_file", "", index=0), piece(None, A, index=0, id="late")],
            [READ_A],
            id="id late",
        ),
        pytest.param(
            [{"index": 0, "id": "x", "name": "read_file", "arguments": A}], [READ_A], id="flat"
        ),
        pytest.param([piece("read_file", None, index=0)], [("read_file", "{}")], id="no arguments"),
        pytest.param([piece("read_file", " ", index=0)], [("read_file", "{}")], id="blank"),
        pytest.param(
            [piece("read_file", "[1]", index=0)], [("read_file", "[1]")], id="array untouched"
        ),
        pytest.param(
            [piece("read_file", '{"a": 1,', index=0)],
            [("read_file", '{"a": 1,')],
            id="cut untouched",
        ),
        pytest.param([piece(None, None, index=0, id="x")], [], id="phantom"),
    ],
)
def test_pieces(pieces: list[Piece], calls: list[tuple[str, str]]) -> None:
    made = collect(*pieces)
    assert told(made) == calls
    assert len({call.id for call in made}) == len(made)
    assert all(call.id for call in made)


def test_arguments_as_an_object_become_text() -> None:
    (call,) = collect(piece("read_file", {"path": "ä"}, index=0))
    assert json.loads(call.arguments) == {"path": "ä"}


def test_ids_are_kept_or_made() -> None:
    calls = collect(
        piece("a", "{}", index=0, id="call_1"),
        piece("b", "{}", index=1, id="call_1"),
        piece("c", "{}", index=2),
        piece("d", "{}", index=3, id=7),
    )
    ids = [call.id for call in calls]
    assert ids[0] == "call_1" and ids[3] == "7"
    assert len(set(ids)) == 4
    assert all(len(made) == 9 and made.isalnum() for made in ids[1:3])


def test_signatures_stay_with_their_call() -> None:
    extra = {"google": {"thought_signature": "abc"}}
    first, second = collect(
        piece("a", "{}", index=0, id="1", extra_content=extra), piece("b", "{}", index=1, id="2")
    )
    assert first.opaque == {"extra_content": extra}
    assert second.opaque == {}


def test_a_message_is_one_call_an_entry() -> None:
    collector = CallCollector(frozenset())
    collector.add([piece("a", A, id="x"), piece("a", A, id="x")], whole=True)
    assert told(collector.result()) == [("a", A), ("a", A)]


def test_a_cut_answer_leaves_out_the_unfinished_call() -> None:
    collector = CallCollector(frozenset())
    collector.add([piece("a", A, index=0)])
    collector.add([piece("b", '{"path": "x', index=1)])
    assert told(collector.result(cut=True)) == [("a", A)]


@pytest.mark.parametrize(
    "pieces",
    ["x", 3, [3], [{"index": 0, "function": {"name": 3}}], [piece("a", [1], index=0)]],
)
def test_what_is_no_tool_call_is_refused(pieces: object) -> None:
    with pytest.raises(BadCalls):
        CallCollector(frozenset()).add(pieces)


def test_arguments_without_a_name_are_refused() -> None:
    with pytest.raises(BadCalls, match="no name"):
        collect(piece(None, A, index=0, id="x"))


def test_the_number_of_calls_is_bounded() -> None:
    pieces = [piece("a", "{}", index=number, id=str(number)) for number in range(MAX_CALLS + 1)]
    assert len(collect(*pieces[:MAX_CALLS])) == MAX_CALLS
    with pytest.raises(BadCalls, match="more than"):
        collect(*pieces)
