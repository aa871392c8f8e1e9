"""The plugins of a replay: a model, tools and commands that do what was recorded.

Where the recording of a turn was cut off, whoever is asked next says so, and waits to be stopped.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from nanobot.command import CommandRequest
from nanobot.engine import FollowUps, ModelChoice, Plugins
from nanobot.errors import ContextOverflow, ProviderError
from nanobot.messages import Effects, FinishReason, Inbound, StopReason, ToolResult, Turn
from nanobot.middleware import Middleware, ToolNext
from nanobot.provider import ModelEvent, ModelFinish, ModelRequest, ModelText
from nanobot.specs import CommandSpec, MiddlewareSpec, Spec, ToolDefinition, ToolSpec
from nanobot.tool import ToolRequest
from nanobot_engine_standard import codec

from nanobot_cli_replay.recording import UNKNOWN, Exchange, Record, Recording, is_answer

_BROKEN = "interrupted"
_CUT_OFF = ("", StopReason.CANCELLED, StopReason.INTERRUPTED)
_NOWHERE = "nowhere:nobody"  # the factory of what is never opened by one


class Script:
    """What is to happen next; `take` sets it for each part of an exchange.

    Attributes:
        cut: Set when the recording was cut off here.
    """

    def __init__(self) -> None:
        self.exchange: Exchange
        self.cut = asyncio.Event()
        self._records: list[Record] = []
        self._steps: deque[Record] = deque()
        self._results: dict[str, ToolResult] = {}
        self._asked = 0
        self._cut_off = False

    def take(self, exchange: Exchange, number: int) -> None:
        """Go on with a part of an exchange, counted from 0."""
        if number == 0:
            self._asked = 0
        self.exchange = exchange
        self.cut.clear()
        records = self._records = exchange.takes[number]
        self._cut_off = number < len(exchange.takes) - 1 or exchange.stop in _CUT_OFF
        self._steps = deque(r for r in records if is_answer(r) or r["type"] == "shrunk")
        self._results = _results(records)

    def joining(self) -> list[Inbound]:
        """Return the messages that joined the turn after the answers so far."""
        return [inbound for before, inbound in self.exchange.said if before == self._asked]

    @property
    def used(self) -> Sequence[str]:
        """Return the names of the tools that ran, as recorded."""
        end = self.exchange.end or {}
        return tuple(end.get("tools", ()))

    async def stop(self) -> None:
        """Wait to be stopped."""
        self.cut.set()
        await asyncio.Event().wait()

    # --- the model ------------------------------------------------------------------------------

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Answer as the model did (`nanobot.provider.Provider`)."""
        if not self._steps:
            await self._end()
        step = self._steps.popleft()
        if step["type"] == "shrunk":
            raise ContextOverflow("The recorded model said that the prompt was too long.")
        self._asked += 1
        self._results = _results(_after(self._records, step))
        if step["text"]:
            yield ModelText(text=step["text"])
        if step["finish"] == _BROKEN:
            if not self.joining():
                await self._end()
            raise ProviderError("The recorded answer broke off here.")
        yield ModelFinish(
            reason=FinishReason(step["finish"]),
            usage=codec.usage_from_json(step.get("usage", {})),
            tool_calls=tuple(codec.call_from_json(call) for call in step.get("calls", ())),
            reasoning=tuple(
                codec.reasoning_from_json(block) for block in step.get("reasoning", ())
            ),
            model=step.get("model", ""),
        )

    async def _end(self) -> None:
        """End the turn as it ended: wait to be stopped where it was cut off, else fail."""
        if self._cut_off:
            await self.stop()
        error = (self.exchange.end or {}).get("error")
        raise ProviderError(error or "The recording has no further answer.")

    # --- tools ----------------------------------------------------------------------------------

    async def result(self, call: str) -> ToolResult:
        """Return what a call came to."""
        found = self._results.get(call)
        if found is None:
            await self.stop()
        assert found is not None
        return found

    # --- commands -------------------------------------------------------------------------------

    async def run(self, request: CommandRequest) -> str:
        """Do what the command did to the session (`nanobot.command.Command`)."""
        for record in self._records:
            if record["type"] == "reset":
                request.session.reset()
            elif record["type"] == "preset":
                request.session.choose_preset(record["name"])
            elif record["type"] == "command" and "text" in record:
                return str(record["text"])
        await self.stop()
        return ""


def _after(records: list[Record], answer: Record) -> list[Record]:
    """Return what follows an answer, up to the next one."""
    found = []
    for record in records[records.index(answer) + 1 :]:
        if is_answer(record):
            break
        found.append(record)
    return found


def _results(records: Iterable[Record]) -> dict[str, ToolResult]:
    """Return the results that come before the next answer."""
    found = {}
    for record in records:
        if is_answer(record):
            break
        if record["type"] == "tool":
            found[record["call"]] = codec.result_from_json(record)
    return found


class RecordedTools(Middleware):
    """Gives the recorded result in place of a tool's; one that never ran is not called either."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def around_tool(self, request: ToolRequest, turn: Turn, proceed: ToolNext) -> ToolResult:
        """Return the recorded result."""
        if request.name in self._script.used or not self._script.exchange.end:
            await proceed(request)
        return await self._script.result(request.call_id)


class _Idle:
    """A tool that does nothing, so that it counts as run."""

    async def call(self, request: ToolRequest, turn: Turn) -> ToolResult:
        return ToolResult.ok()


class Stage:
    """The plugins of a replay, as an engine sees them (`nanobot.engine.Plugins`).

    Args:
        live: The real plugins, whose tools are to run; None to replay their results.
    """

    def __init__(self, recording: Recording, script: Script, live: Plugins | None) -> None:
        self._script = script
        self._live = live
        self._specs: dict[str, list[Spec]] = {
            "commands": [
                CommandSpec(name=name, factory=_NOWHERE, usage="[anything]", description="Replay.")
                for name in sorted({one.command for one in recording.exchanges} - {""})
            ]
        }
        if live is None:
            self._specs["tools"] = [_tool_spec(recording)]
            self._specs["middleware"] = [MiddlewareSpec(name="recorded", factory=_NOWHERE)]

    def usable(self, kind: str) -> Sequence[Any]:
        """Return the specs of a kind."""
        if kind == "tools" and self._live is not None:
            return self._live.usable(kind)
        return self._specs.get(kind, ())

    async def open(self, kind: str, name: str) -> Any:
        """Return what does as was recorded."""
        if kind == "tools":
            return _Idle() if self._live is None else await self._live.open(kind, name)
        return RecordedTools(self._script) if kind == "middleware" else self._script

    async def open_model(self, choice: ModelChoice) -> Any:
        """Return the recorded model."""
        return self._script


def _tool_spec(recording: Recording) -> ToolSpec:
    """Return the tools that were there; they take any arguments, since refusals are recorded.

    A tool that was run once more after an interruption is one that may be.
    """
    repeated = set(_repeated(recording))
    answers = [answer for exchange in recording.exchanges for answer in exchange.answers]
    called = {call["name"] for answer in answers for call in answer.get("calls", ())}
    results = [record for record in recording.records if record["type"] == "tool"]
    ran = {record["name"] for record in results if record.get("kind") != UNKNOWN}
    unknown = {record["name"] for record in results} - ran
    return ToolSpec(
        name="recorded",
        factory=_NOWHERE,
        tools=tuple(
            ToolDefinition(
                name=name,
                description="Does what it did.",
                parameters={"type": "object", "properties": {}, "additionalProperties": True},
                effects=Effects(idempotent=name in repeated),
                spill=False,
            )
            for name in sorted(called - unknown - {""})
        ),
    )


def _repeated(recording: Recording) -> Iterable[str]:
    for exchange in recording.exchanges:
        for records in exchange.takes[1:]:
            for record in records:
                if is_answer(record):
                    break
                if record["type"] == "tool" and record.get("kind") != "unknown_outcome":
                    yield record["name"]


class Joining(FollowUps):
    """Gives the messages that joined a turn at the places where they did."""

    def __init__(self, script: Script, *, suspended: bool) -> None:
        self.suspended = suspended
        self._script = script
        self._given: set[str] = set()

    def take(self, *, ending: bool) -> Sequence[Inbound]:
        """Return what is due and was not given yet."""
        due = [one for one in self._script.joining() if one.id not in self._given]
        self._given |= {one.id for one in due}
        return due
