"""What tools may ask of a gateway: messages to chats, questions, and work for subagents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from nanobot.admin import Config, HostDesk
from nanobot.context import Clock
from nanobot.desk import Note, Question, Task
from nanobot.errors import ToolError
from nanobot.events import TurnFinished
from nanobot.messages import Inbound, Origin, StopReason, Text, Trust

from nanobot_gateway.channel import Outgoing
from nanobot_gateway.delivery import Manners
from nanobot_gateway.intake import Intake
from nanobot_gateway.outbox import Outbox, lane_of, row_of
from nanobot_gateway.questions import Questions
from nanobot_gateway.sessions import Sessions
from nanobot_gateway.store import Delivery, Store

RECEIPT_S = 20.0
"""Seconds that a turn waits to learn whether a message went out."""
LONGEST_RESULT_CHARS = 50_000


@dataclass(frozen=True, kw_only=True)
class Office:
    """What the desks of a gateway work with.

    Args:
        manners: Returns how an account of a channel shows things, None if there is none.
        silent: For turns that show nothing.
    """

    store: Store
    outbox: Outbox
    intake: Intake
    sessions: Sessions
    questions: Questions
    manners: Callable[[str], Manners | None]
    silent: Manners


class GatewayDesk(HostDesk):
    """Serves the tools of an instance that a gateway runs.

    Args:
        office: Returns what it works with, once the gateway is complete.
    """

    def __init__(self, config: Config, clock: Clock, office: Callable[[], Office]) -> None:
        super().__init__(config, clock)
        self._office = office

    async def send(self, note: Note) -> str:
        office, name = self._office(), lane_of(note.target)
        if office.manners(name) is None:
            raise ToolError(f"No channel {name!r} is connected.", kind="not_found", target=name)
        message = Outgoing(
            id=note.id,
            target=note.target,
            text=note.text,
            files=note.files,
            buttons=note.buttons,
        )
        known = await office.store.delivery(note.id)
        if known is not None:
            return str(known.state)
        await office.store.finish([], [row_of(message)])
        delivered = office.outbox.put(message)
        if note.target == note.turn.target:
            office.sessions.spoke(note.turn.scope.session_key)
        done, _ = await asyncio.wait([delivered], timeout=RECEIPT_S)
        return str(delivered.result() if done else Delivery.QUEUED)

    async def ask(self, question: Question) -> str:
        office, target = self._office(), question.turn.target
        if office.manners(lane_of(target)) is None:
            return await super().ask(question)
        message = Outgoing(
            id=f"{question.id}:ask",
            target=target,
            text=question.text,
            buttons=tuple((choice,) for choice in question.choices),
        )
        before = office.sessions.messages(question.turn.scope.session_key)
        try:
            waiting = await office.questions.put(question, before)
            if not waiting.done() and await office.store.delivery(message.id) is None:
                await office.store.finish([], [row_of(message)])
                office.outbox.put(message)
            answer = await waiting
        except asyncio.CancelledError:
            if not office.sessions.suspended:
                await office.questions.close(question.id)
            raise
        await office.questions.close(question.id)
        return answer

    async def delegate(self, task: Task, *, wait: bool) -> str:
        if wait:
            return await super().delegate(task, wait=True)
        office = self._office()
        await office.intake.submit(self.inbound(task), office.silent, profile=task.profile)
        return ""


def result_of(task: Inbound, end: TurnFinished) -> Inbound:
    """Return what a subagent came to, as a message to the session that sent it."""
    said = end.content or end.error or "nothing"
    if len(said) > LONGEST_RESULT_CHARS:
        said = said[:LONGEST_RESULT_CHARS] + " …"
    went = "is done" if end.stop_reason is StopReason.COMPLETED else f"ended: {end.stop_reason}"
    asked = task.parts[0].text if task.parts and isinstance(task.parts[0], Text) else ""
    return Inbound(
        id=f"{task.id}:result",
        session_key=task.parent,
        principal=task.principal,
        target=task.target,
        parts=(
            Text(
                text=f"[A subagent {went}. Tell the user in one or two sentences.]\nTask: {asked}"
            ),
            Text(text=f"Result:\n{said}", trust=Trust.UNTRUSTED),
        ),
        received_at=task.received_at,
        origin=Origin.AGENT,
    )
