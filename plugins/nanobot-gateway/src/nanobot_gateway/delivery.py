"""Shows one turn in one chat: as it happens where the channel can, and what must arrive at the end.

Text comes in pieces of any size. Each piece is looked at once and appended to a list; pieces that
come together go out together, so an answer costs what its bytes cost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from nanobot.context import Clock
from nanobot.events import (
    Notice,
    ReasoningDelta,
    StreamEnd,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnEvent,
    TurnFinished,
)
from nanobot.messages import StopReason, Target

from nanobot_gateway.channel import DeliveryError, Outgoing, Update
from nanobot_gateway.outbox import Outbox, pieces
from nanobot_gateway.specs import ChannelSpec
from nanobot_gateway.splitting import length, split

COALESCE_S = 0.03
TYPING_S = 4.0
_SILENT = (StopReason.CANCELLED,)


@dataclass(frozen=True, kw_only=True)
class Manners:
    """How a channel's account wants turns shown.

    Args:
        spec: What the channel says of itself.
        channel: Returns the open channel, None while it is not.
        streaming: Show answers while they are written.
        progress: Send what is said between tool calls.
        hints: Show which tools run.
        reasoning: Show the model's reasoning.
        hint_length: Longest hint of a tool call, in characters.
    """

    spec: ChannelSpec
    channel: Callable[[], Any]
    streaming: bool = True
    progress: bool = True
    hints: bool = True
    reasoning: bool = True
    hint_length: int = 40

    def can(self, capability: str) -> bool:
        """Tell whether the channel has a capability."""
        return capability in self.spec.capabilities


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a turn is shown.

    Args:
        answers: The platform's id of the message that the turn answers.
        reply_to: The platform's message to reply to, empty for a plain message.
    """

    target: Target
    session_key: str
    answers: str
    reply_to: str = ""


class Show:
    """One turn in one chat.

    Args:
        place: Where.
        manners: How.
        outbox: Takes what is to be sent.
        clock: The time.
        turn: What the ids of its messages begin with; the same when the turn is resumed.
    """

    def __init__(
        self, place: Place, manners: Manners, outbox: Outbox, clock: Clock, turn: str
    ) -> None:
        self._place = place
        self._manners = manners
        self._outbox = outbox
        self._clock = clock
        self._turn = turn
        self._ordinal = 0
        self._segment: list[str] = []
        self._watching = _Watcher(place, manners) if manners.can("events") else None
        self._draft: _Draft | None = None
        self._typing = asyncio.create_task(self._keep_typing()) if manners.can("typing") else None

    # --- while it runs --------------------------------------------------------------------------

    def event(self, event: TurnEvent) -> None:
        """Take something that happened; never waits."""
        if self._watching:
            self._watching.take(event)
            return
        match event:
            case TextDelta():
                self._segment.append(event.text)
                if self._manners.streaming and self._manners.can("edits"):
                    self._drafting().add(event.text)
            case StreamEnd() if event.resuming:
                self._end_segment()
            case ToolStarted() if self._manners.hints:
                self._say(hint(event, self._manners.hint_length))
            case Notice() if event.kind in ("fallback", "warning", "recovery"):
                self._say(event.text)

    def _drafting(self) -> _Draft:
        if self._draft is None:
            self._draft = _Draft(self._manners, self._message("", self._next_id()), self._clock)
        return self._draft

    def _end_segment(self) -> None:
        """What was said before tools run stays as a message of its own, or is left out."""
        text = "".join(self._segment).strip()
        self._segment.clear()
        draft, self._draft = self._draft, None
        messages = self._messages(text, id=self._next_id()) if text else []
        if draft and messages:
            self._outbox.put(messages.pop(0), stored=False, send=draft.replace)
        elif draft:
            draft.drop()
        elif not self._manners.progress:
            return
        for message in messages:
            self._outbox.put(message, stored=False)

    def _say(self, text: str) -> None:
        if text:
            self._outbox.put(self._message(text, self._next_id()), stored=False)

    async def _keep_typing(self) -> None:
        while True:
            channel = self._manners.channel()
            if channel is not None:
                try:
                    async with asyncio.timeout(TYPING_S):
                        await channel.typing(self._place.target, on=True)
                except Exception:  # noqa: S110 - a decoration must not end a turn
                    pass
            await self._clock.sleep(TYPING_S)

    # --- at the end -----------------------------------------------------------------------------

    def final(self, end: TurnFinished) -> list[Outgoing]:
        """Return the messages that must arrive, to be stored before they are sent."""
        text = wording(end)
        if not text:
            return []
        shown = bool(self._watching) and self._manners.streaming and text == end.content
        return self._messages(text, shown=shown)

    def finish(self, end: TurnFinished, messages: list[Outgoing]) -> None:
        """Send the messages, which are stored now, and say that the turn is over."""
        draft, self._draft = self._draft, None
        if draft and messages:
            first, *rest = messages
            self._outbox.put(first, send=draft.replace)
            for message in rest:
                self._outbox.put(message)
        else:
            if draft:
                draft.drop()
            for message in messages:
                self._outbox.put(message)
        if self._watching:
            self._watching.take(end)
        self.close()

    def close(self) -> None:
        """Stop showing."""
        if self._typing:
            self._typing.cancel()
            self._typing = None
        if self._draft:
            self._draft.drop()
            self._draft = None
        if self._watching:
            self._watching.flush()

    # --- messages -------------------------------------------------------------------------------

    def _next_id(self) -> str:
        self._ordinal += 1
        return f"{self._turn}:{self._ordinal}"

    def _message(self, text: str, id: str) -> Outgoing:
        place = self._place
        return Outgoing(
            id=id,
            target=place.target,
            text=text,
            reply_to=place.reply_to,
            answers=place.answers,
        )

    def _messages(self, text: str, *, id: str = "", shown: bool = False) -> list[Outgoing]:
        """Return a text as messages that the platform takes."""
        spec = self._manners.spec
        final = replace(self._message(text, id or f"{self._turn}:end"), shown=shown)
        if not spec.max_length or length(text, spec.unit) <= spec.max_length:
            return [final]
        return pieces(final, split(text, spec.max_length, spec.unit))


def wording(end: TurnFinished) -> str:
    """Return what a chat is told at the end of a turn, empty for nothing."""
    if end.stop_reason in _SILENT:
        return ""
    if end.error and end.content.strip():
        return f"{end.content}\n\n⚠ {end.error}"
    return end.content if end.content.strip() else (end.error and f"⚠ {end.error}")


def hint(event: ToolStarted, longest: int) -> str:
    """Return a tool call as a short line: ``read_file("notes.txt")``."""
    first = next((v for v in event.arguments.values() if isinstance(v, str)), "")
    first = " ".join(first.split())
    short = first if len(first) <= longest else first[: longest - 1] + "…"
    return f"{event.call.name}({short!r})" if short else event.call.name


class _Watcher:
    """Hands events to a channel that shows them itself; text that comes together goes together."""

    def __init__(self, place: Place, manners: Manners) -> None:
        self._place = place
        self._manners = manners
        self._events: list[TurnEvent] = []
        self._text: list[str] = []
        self._kind: type[TextDelta] | type[ReasoningDelta] = TextDelta
        self._timer: asyncio.TimerHandle | None = None
        self._last = 0.0

    def take(self, event: TurnEvent) -> None:
        if isinstance(event, TextDelta | ReasoningDelta):
            kind = type(event)
            if kind is ReasoningDelta and not self._manners.reasoning:
                return
            if kind is TextDelta and not self._manners.streaming:
                return
            if kind is not self._kind:
                self._gather()
                self._kind = kind
            self._text.append(event.text)
            if self._timer is None:
                self._flush_in_time()
            return
        if isinstance(event, ToolStarted | ToolFinished) and not self._manners.hints:
            return
        self._gather()
        self._events.append(event)
        self.flush()

    def _gather(self) -> None:
        if self._text:
            text = self._text[0] if len(self._text) == 1 else "".join(self._text)
            self._events.append(self._kind(text=text))
            self._text.clear()

    def _flush_in_time(self) -> None:
        """Hand text over at once, unless some was just before: then what comes soon goes with it.

        A timer runs only while text waits: one for each piece would wake the process twice.
        """
        loop = asyncio.get_running_loop()
        wait = self._last + COALESCE_S - loop.time()
        if wait <= 0:
            self._last = loop.time()
            self.flush()
        else:
            self._timer = loop.call_later(wait, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._text:
            self._last = asyncio.get_running_loop().time()
            self.flush()

    def flush(self) -> None:
        """Hand over what has gathered."""
        self._gather()
        channel = self._manners.channel()
        if self._events and channel is not None:
            events, self._events = self._events, []
            place = self._place
            channel.show(
                Update(
                    target=place.target,
                    session_key=place.session_key,
                    answers=place.answers,
                    events=events,
                )
            )


class _Draft:
    """An answer that grows in the chat: sent as soon as there is text, then edited now and then."""

    def __init__(self, manners: Manners, message: Outgoing, clock: Clock) -> None:
        self._manners = manners
        self._message = message
        self._clock = clock
        self._parts: list[str] = []
        self._size = 0
        self._sent = ""
        self._task = asyncio.create_task(self._grow())
        self._news = asyncio.Event()

    def add(self, text: str) -> None:
        self._parts.append(text)
        self._size += len(text)
        self._news.set()

    async def _grow(self) -> None:
        """Send and edit until cancelled; a failure only means that less of it is seen early."""
        limit = self._manners.spec.max_length
        while True:
            await self._news.wait()
            self._news.clear()
            channel = self._manners.channel()
            text = "".join(self._parts)
            self._parts[:] = [text]
            if channel is None or not text.strip():
                await self._clock.sleep(COALESCE_S)
                continue
            if limit and length(text, self._manners.spec.unit) > limit:
                text = split(text, limit, self._manners.spec.unit)[0]
            message = replace(self._message, text=text, partial=True)
            pause = channel.edit_interval_s
            try:
                if self._sent:
                    await channel.edit(self._sent, message)
                else:
                    self._sent = await channel.send(message)
            except DeliveryError as error:
                pause = max(pause, error.retry_after or 5.0)
            except Exception:
                pause = max(pause, 5.0)
            await self._clock.sleep(pause)

    async def replace(self, message: Outgoing) -> str:
        """Make the draft the whole message; sends it anew where that fails for good."""
        await self._stop()
        channel = self._manners.channel()
        if channel is None:
            raise DeliveryError("the channel is not connected")
        if self._sent:
            try:
                await channel.edit(self._sent, message)
                return self._sent
            except DeliveryError as error:
                if error.retryable:
                    raise
        return str(await channel.send(message))

    def drop(self) -> None:
        """Stop growing."""
        self._task.cancel()

    async def _stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
