"""A session while a turn runs: its transcript, open and locked, and the history folded from it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from nanobot.command import HistoryEntry
from nanobot.context import Clock
from nanobot.errors import SessionBusy
from nanobot.messages import (
    Inbound,
    ReasoningBlock,
    StopReason,
    ToolCall,
    ToolResult,
    Usage,
)

from nanobot_engine_standard import codec
from nanobot_engine_standard.history import INTERRUPTED, History, TurnRecord
from nanobot_engine_standard.transcript import Transcript

_POLL_S = 0.05


class Session:
    """Writes what happens to the transcript first and to the history after.

    Args:
        transcript: Open and locked.
        stamp: Returns the current time as text.
    """

    def __init__(self, transcript: Transcript, stamp: Callable[[], str]) -> None:
        self._transcript = transcript
        self._stamp = stamp
        self.history = History(transcript.blob)
        for record in transcript.read():
            self.history.add(record)

    @property
    def key(self) -> str:
        """Return the session's key."""
        return self._transcript.key

    def note_damage(self) -> int:
        """Return how many damaged lines were found; each is reported once."""
        damaged = self._transcript.skipped
        if damaged:
            self._put("damage", at=self._stamp(), lines=damaged)
        return damaged

    def _put(self, record: str, /, *, durable: bool = False, **fields: Any) -> None:
        self.history.add(self._transcript.append(record, fields, durable=durable))

    # --- a turn ---------------------------------------------------------------------------------

    def begin(self, turn_id: str, inbound: Inbound, context: str) -> TurnRecord:
        """Store a user's message; once this returns, the message is not lost."""
        self.close_unfinished()
        self._put(
            "user",
            durable=True,
            turn=turn_id,
            at=inbound.received_at.isoformat(),
            origin=str(inbound.origin),
            from_={"channel": inbound.principal.channel, "user": inbound.principal.user},
            message=inbound.id,
            parts=[codec.part_to_json(part, self._transcript.store) for part in inbound.parts],
            context=context,
        )
        return self.history.turns[-1]

    def answer(
        self,
        turn_id: str,
        text: str,
        *,
        calls: Sequence[ToolCall] = (),
        reasoning: Sequence[ReasoningBlock] = (),
        usage: Usage | None = None,
        model: str = "",
        finish: str = "",
        continues: bool = False,
    ) -> None:
        """Store a model's answer before anything is done about it."""
        fields: dict[str, Any] = {"turn": turn_id, "at": self._stamp(), "text": text}
        if calls:
            fields["calls"] = [codec.call_to_json(call) for call in calls]
        if reasoning:
            fields["reasoning"] = [codec.reasoning_to_json(block) for block in reasoning]
        if usage is not None:
            fields["usage"] = codec.usage_to_json(usage)
        if continues:
            fields["continues"] = True
        self._put("assistant", **fields, model=model, finish=finish)

    def tool(self, turn_id: str, call: ToolCall, result: ToolResult, seconds: float) -> None:
        """Store a tool's result before the model sees it."""
        self._put(
            "tool",
            turn=turn_id,
            at=self._stamp(),
            call=call.id,
            name=call.name,
            seconds=round(seconds, 4),
            **codec.result_to_json(result, self._transcript.store),
        )

    def end(self, turn_id: str, reason: StopReason, error: str = "") -> None:
        """Store that the turn is over."""
        fields = {"error": error} if error else {}
        self._put(
            "end", durable=True, turn=turn_id, at=self._stamp(), stop_reason=str(reason), **fields
        )

    def close_unfinished(self) -> bool:
        """Close a turn that a crash interrupted; tell whether there was one."""
        turn = self.history.unfinished
        if turn is None:
            return False
        for call in turn.open_calls():
            self.tool(turn.id, call, INTERRUPTED, 0.0)
        self.end(turn.id, StopReason.INTERRUPTED)
        return True

    # --- nanobot.command.SessionControl ---------------------------------------------------------

    def reset(self) -> None:
        """Start afresh; what was said stays in the transcript."""
        self.close_unfinished()
        self._put("reset", durable=True, at=self._stamp())

    def choose_preset(self, name: str) -> None:
        """Remember the model preset of this session."""
        self._put("preset", durable=True, at=self._stamp(), name=name)

    def entries(self, count: int) -> Sequence[HistoryEntry]:
        """Return the last things that were said, oldest first."""
        said = self.history.texts()
        return [HistoryEntry(role=role, text=text) for role, text in said[-count:]]


@asynccontextmanager
async def open_session(
    folder: Path, key: str, clock: Clock, *, wait_s: float = 30.0
) -> AsyncIterator[Session]:
    """Open and lock a session; wait a while for another process that holds it.

    Raises:
        SessionBusy: It is still held after `wait_s` seconds.
        SessionVersion: A newer nanobot wrote it.
        StorageError: It can not be opened.
    """
    give_up = clock.monotonic() + wait_s
    while True:
        try:
            transcript = Transcript(folder, key).__enter__()
            break
        except SessionBusy:
            if clock.monotonic() >= give_up:
                raise
            await clock.sleep(_POLL_S)
    try:
        yield Session(transcript, lambda: clock.now().isoformat(timespec="milliseconds"))
    finally:
        transcript.__exit__()
