"""A session while a turn runs: its transcript, open and locked, and the history folded from it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from nanobot.command import HistoryEntry
from nanobot.errors import StorageError
from nanobot.events import TurnFinished
from nanobot.messages import (
    Image,
    Inbound,
    Message,
    Part,
    ReasoningBlock,
    StopReason,
    ToolCall,
    ToolResult,
    Usage,
)

from nanobot_engine_standard import codec
from nanobot_engine_standard.disk import DiskThreads
from nanobot_engine_standard.history import KEEP_TOKENS, History, MessageKey
from nanobot_engine_standard.repeats import end_of, find
from nanobot_engine_standard.transcript import Transcript
from nanobot_engine_standard.turns import INTERRUPTED, TurnRecord

_INLINE_BYTES = 64 * 1024


class Session:
    """Writes what happens to the transcript first and to the history after.

    What is written is safe from the end of the process at once, and from a power cut after
    `commit`. After a `StorageError` the history may hold more than the file, so the object must
    not serve another turn.

    Args:
        transcript: Open and locked.
        stamp: Returns the current time as text.
        keep_tokens: How much of the past must stay in memory.

    Attributes:
        spoiled: The history and the file may differ.
        touched: A command has changed something that is not committed.
    """

    def __init__(
        self,
        transcript: Transcript,
        stamp: Callable[[], str],
        disk: DiskThreads,
        keep_tokens: int = KEEP_TOKENS,
    ) -> None:
        self.transcript = transcript
        self.history = History(keep_tokens)
        self.spoiled = False
        self.touched = False
        self.cache_key = hashlib.sha256(self.key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        self._stamp = stamp
        self._disk = disk

    @property
    def key(self) -> str:
        """Return the session's key."""
        return self.transcript.key

    def read(self) -> None:
        """Take in what the file holds and the history does not."""
        for record in self.transcript.read():
            self.history.add(record)

    async def load(self) -> None:
        """Do the same, beside the event loop if it is much."""
        self.spoiled = True  # until it has been read to the end
        unread = self.transcript.unread()
        if unread > _INLINE_BYTES:
            await self._disk.run(self.read)
        elif unread:
            self.read()
        self.spoiled = False

    async def commit(self) -> None:
        """Return once what was written would survive a power cut.

        Raises:
            StorageError: That is not sure; the last record does not count.
        """
        try:
            await self._disk.run(self.transcript.sync)
            self.touched = False
        except StorageError:
            self.spoiled = True
            raise

    def note_damage(self) -> int:
        """Return how many damaged lines were found; each is reported once."""
        damaged = self.transcript.skipped
        if damaged:
            self._put("damage", at=self._stamp(), lines=damaged)
            self.transcript.skipped = 0
        return damaged

    def _put(self, record: str, /, **fields: Any) -> None:
        try:
            self.history.add(self.transcript.append(record, fields))
        except BaseException:
            self.spoiled = True
            raise

    # --- pictures -------------------------------------------------------------------------------

    async def put_away(self, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        """Return the parts with their pictures written beside the transcripts."""
        if not any(isinstance(part, Image) for part in parts):
            return parts
        return await self._disk.run(codec.stored, parts, self.transcript.store)

    async def fetch(self, messages: list[Message], pictured: Sequence[int]) -> list[Message]:
        """Return the messages with their pictures.

        Args:
            pictured: Where they have some.
        """
        if not pictured:
            return messages

        def work() -> None:
            for index in pictured:
                messages[index] = codec.fetched(messages[index], self.transcript.blob)

        await self._disk.run(work)
        return messages

    # --- a turn ---------------------------------------------------------------------------------

    def begin(
        self, turn_id: str, inbound: Inbound, parts: tuple[Part, ...], context: str
    ) -> TurnRecord:
        """Store a user's message, which begins a turn.

        Args:
            parts: What it says, with its pictures put away.
            context: What is volatile, for the model.
        """
        self.close_unfinished()
        self._say(turn_id, inbound, parts, context)
        assert self.history.open is not None
        return self.history.open

    def join(self, turn_id: str, inbound: Inbound, parts: tuple[Part, ...]) -> None:
        """Store a message that joins the running turn."""
        self._say(turn_id, inbound, parts, "")

    def _say(self, turn_id: str, inbound: Inbound, parts: tuple[Part, ...], context: str) -> None:
        who = inbound.principal
        self._put(
            "user",
            turn=turn_id,
            at=inbound.received_at.isoformat(),
            origin=str(inbound.origin),
            from_={
                "channel": who.channel,
                "account": who.account,
                "user": who.user,
                "role": str(who.role),
            },
            **_address(inbound),
            **({"parent": inbound.parent} if inbound.parent else {}),
            parts=[codec.part_to_json(part, self.transcript.store) for part in parts],
            context=context,
        )

    def resume(self, turn_id: str) -> None:
        """Store that an interrupted turn goes on."""
        self._put("resumed", turn=turn_id, at=self._stamp())

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
        stop: StopReason | None = None,
    ) -> None:
        """Store a model's answer before anything is done about it.

        Args:
            stop: How the turn ends, when this is its last answer.
        """
        fields: dict[str, Any] = {"turn": turn_id, "at": self._stamp(), "text": text}
        if calls:
            fields["calls"] = [codec.call_to_json(call) for call in calls]
        if reasoning:
            fields["reasoning"] = [codec.reasoning_to_json(block) for block in reasoning]
        if usage is not None:
            fields["usage"] = codec.usage_to_json(usage)
        if continues:
            fields["continues"] = True
        if stop is not None:
            fields["stop"] = str(stop)
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
            **codec.result_to_json(result, self.transcript.store),
        )

    def end(
        self,
        turn_id: str,
        reason: StopReason,
        error: str = "",
        *,
        content: str | None = None,
        model: str = "",
        tools: Sequence[str] = (),
    ) -> None:
        """Store that the turn is over.

        Args:
            content: The final answer, where it is not what was said last.
        """
        fields: dict[str, Any] = {"error": error} if error else {}
        if content is not None and (turn := self.history.open) and content != turn.content():
            fields["content"] = content
        if model:
            fields["model"] = model
        if tools:
            fields["tools"] = list(tools)
        self._put("end", turn=turn_id, at=self._stamp(), stop_reason=str(reason), **fields)

    def close_unfinished(self) -> bool:
        """Close a turn that a crash interrupted; tell whether there was one."""
        turn = self.history.open
        if turn is None:
            return False
        for call in turn.open_calls():
            self.tool(turn.id, call, INTERRUPTED, 0.0)
        self.end(turn.id, StopReason.INTERRUPTED)
        return True

    def shrink(self, model: str, scale: float) -> None:
        """Remember that a model takes less than its window should hold."""
        self._put("shrunk", at=self._stamp(), model=model, scale=scale)

    # --- repeats --------------------------------------------------------------------------------

    async def answered(self, key: MessageKey | None) -> TurnFinished | None:
        """Return how a message was answered before; None if it was not, or not to the end."""
        if key is None or not self.history.knows(key) or self.history.holds_open(key):
            return None
        last = self.history.last
        if last is not None and key in last.keys:
            return end_of(last)
        return await self._disk.run(find, self.transcript.again, key)

    # --- slash commands -------------------------------------------------------------------------

    def command(self, turn_id: str, inbound: Inbound, name: str) -> None:
        """Store that a command is about to run; its arguments may be secret."""
        self._put("command", turn=turn_id, at=self._stamp(), name=name, **_address(inbound))

    def reply(self, turn_id: str, text: str) -> None:
        """Store what a command replied."""
        self._put("command", turn=turn_id, at=self._stamp(), text=text)

    def reset(self) -> None:
        """Start afresh; what was said stays in the transcript."""
        self.touched = True
        self.close_unfinished()
        self._put("reset", at=self._stamp())

    def choose_preset(self, name: str) -> None:
        """Remember the model preset of this session."""
        self.touched = True
        self._put("preset", at=self._stamp(), name=name)

    def entries(self, count: int) -> Sequence[HistoryEntry]:
        """Return the last things that were said, oldest first."""
        return [HistoryEntry(role=role, text=text) for role, text in self.history.texts(count)]


def _address(inbound: Inbound) -> dict[str, Any]:
    """Return which message it is, for a record."""
    chat = inbound.target
    place = {"channel": chat.channel, "account": chat.account, "chat": chat.chat}
    if chat.thread:
        place["thread"] = chat.thread
    return {"message": inbound.id, "to": place}
