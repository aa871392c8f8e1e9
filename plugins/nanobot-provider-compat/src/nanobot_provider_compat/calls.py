"""Tool calls put together from the pieces in which vendors stream them."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field

from nanobot.messages import ToolCall

from nanobot_provider_compat.surrogates import mend

MAX_CALLS = 128
"""Calls that one answer may make; more is a model that lost its way."""


MOST_CHARS = 8_000_000
"""Of all arguments of one answer; no model writes as much, and a server that never ends does."""


class BadCalls(Exception):
    """Report tool calls that can not be understood; the text says why."""


@dataclass(slots=True)
class _Call:
    id: str
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    opaque: dict[str, object] = field(default_factory=dict)

    def whole(self) -> bool:
        """Tell whether the arguments are a whole JSON object already."""
        if not self.pieces or not self.pieces[-1].rstrip().endswith("}"):
            return False
        try:
            return isinstance(json.loads("".join(self.pieces)), dict)
        except (ValueError, RecursionError):
            return False


class CallCollector:
    """Collects the tool calls of one answer.

    A piece belongs to the call with its index, or with its id when there is no index, or else to
    the last one. Vendors also send whole calls one after the other under one index, ids twice,
    ids once, or none, and the name in pieces or over and over.

    Args:
        names: The names of the tools that were offered.
    """

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._calls: list[_Call] = []
        self._chars = 0
        self._by_index: dict[int | str, _Call] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, pieces: object, *, whole: bool = False) -> None:
        """Take the value of ``tool_calls``, of a delta or (whole) of a message.

        Raises:
            BadCalls: It has no shape of tool calls, or there are too many.
        """
        if isinstance(pieces, dict):
            pieces = [pieces]
        if not isinstance(pieces, list):
            raise BadCalls("tool_calls is no list")
        for position, piece in enumerate(pieces):
            if not isinstance(piece, dict):
                raise BadCalls("a tool call is no object")
            function = piece.get("function")
            if not isinstance(function, dict):
                function = piece
            name = function.get("name") or ""
            if not isinstance(name, str):
                raise BadCalls("the name of a tool call is no text")
            arguments = function.get("arguments")
            index = position if whole else piece.get("index")
            call = self._find(index, _text(piece.get("id")), name, arguments)
            self._fill(call, name, arguments)
            if isinstance(piece.get("extra_content"), dict):
                call.opaque["extra_content"] = piece["extra_content"]

    def _find(self, index: object, call_id: str, name: str, arguments: object) -> _Call:
        call: _Call | None
        key = index if isinstance(index, int | str) else None
        if key is not None:
            call = self._by_index.get(key)
        elif call_id:
            call = next((call for call in reversed(self._calls) if call.id == call_id), None)
        else:
            call = self._calls[-1] if self._calls else None
        if call is None or self._begins(call, call_id, name, arguments):
            if len(self._calls) >= MAX_CALLS:
                raise BadCalls(f"more than {MAX_CALLS} tool calls in one answer")
            call = _Call(id=call_id)
            self._calls.append(call)
            if key is not None:
                self._by_index[key] = call
        elif not call.id:
            call.id = call_id
        return call

    @staticmethod
    def _begins(call: _Call, call_id: str, name: str, arguments: object) -> bool:
        """Tell whether a piece that points at this call starts another one."""
        if not name or not call.name:
            return False
        if call_id and call.id and call_id != call.id:
            return True
        return bool(arguments or name != call.name) and call.whole()

    def _fill(self, call: _Call, name: str, arguments: object) -> None:
        if name:
            longer = call.name + name
            if call.name not in self._names or longer in self._names:
                call.name = longer
        if isinstance(arguments, str):
            if arguments:
                self._chars += len(arguments)
                if self._chars > MOST_CHARS:
                    raise BadCalls(f"its tool calls have more than {MOST_CHARS:,} characters")
                call.pieces.append(arguments)
        elif isinstance(arguments, dict):
            call.pieces = [json.dumps(arguments, ensure_ascii=False)]
        elif arguments is not None:
            raise BadCalls("the arguments of a tool call are neither text nor an object")

    def result(self, *, cut: bool = False) -> tuple[ToolCall, ...]:
        """Return the calls, with unique ids.

        Args:
            cut: The answer hit its limit: a last call without whole arguments is left out.

        Raises:
            BadCalls: A call has arguments but no name.
        """
        calls = list(self._calls)
        if cut and calls and not calls[-1].whole():
            calls.pop()
        made: list[ToolCall] = []
        used: set[str] = set()
        for call in calls:
            if not call.name:
                if call.pieces:
                    raise BadCalls("a tool call has no name")
                continue
            call_id = mend(call.id)
            while not call_id or call_id in used:
                call_id = secrets.token_hex(5)[:9]
            used.add(call_id)
            arguments = mend("".join(call.pieces))
            if not arguments.strip():
                arguments = "{}"
            made.append(
                ToolCall(id=call_id, name=mend(call.name), arguments=arguments, opaque=call.opaque)
            )
        return tuple(made)


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
