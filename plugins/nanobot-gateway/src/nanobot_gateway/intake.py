"""The one way in: every message passes the gate, is stored, and goes to its session."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from nanobot import log
from nanobot.context import Clock
from nanobot.errors import NanobotError, StorageError
from nanobot.messages import Inbound, Origin, Principal, Role, Target, text_of
from nanobot.profile import Profile
from nanobot.specs import CommandSpec

from nanobot_gateway.access import Entry, Gate, name_of
from nanobot_gateway.actor import Work
from nanobot_gateway.bindings import Agents
from nanobot_gateway.channel import Accepted, Incoming, Outgoing, Verdict
from nanobot_gateway.config import ChannelConfig
from nanobot_gateway.delivery import Manners, Place
from nanobot_gateway.outbox import row_of
from nanobot_gateway.questions import Questions
from nanobot_gateway.sessions import Sessions
from nanobot_gateway.store import InboxRow
from nanobot_gateway.wire import Codec

REMIND_S = 60.0
MOST_REMINDED = 1000


@dataclass(frozen=True, kw_only=True)
class Account:
    """One account of a channel, as configured.

    Args:
        section: Its settings.
        manners: How it wants turns shown.
    """

    channel: str
    account: str
    section: ChannelConfig
    manners: Manners

    @property
    def name(self) -> str:
        """Return what it is called: ``telegram``, ``telegram.work``."""
        return name_of(self.channel, self.account)


@dataclass(frozen=True, kw_only=True)
class Order:
    """A command for the gateway itself.

    Args:
        arguments: The rest of the line.
    """

    arguments: str
    session_key: str
    principal: Principal


Handler = Callable[[Order], Awaitable[str]]


@dataclass(frozen=True, kw_only=True)
class Reception:
    """What the intake works with.

    Args:
        gate: Decides who may talk to the agent.
        offer_pairing: Returns what a stranger on a channel is told, empty for nothing.
        orders: The gateway's own commands by name.
        commands: All slash commands by name, for their roles.
        agents: The named agents, and where they answer.
        questions: What turns wait to be answered.
        unified: All chats share one session.
    """

    gate: Gate
    offer_pairing: Callable[[str, str], str]
    orders: Mapping[str, Handler]
    commands: Callable[[], Mapping[str, CommandSpec]]
    agents: Agents
    questions: Questions
    unified: bool = False


class Intake:
    """Takes what channels and services bring.

    Args:
        reception: What it works with.
        sessions: Where messages go.
        codec: Encodes them for the store.
    """

    def __init__(self, reception: Reception, sessions: Sessions, codec: Codec) -> None:
        self.reception = reception
        self._sessions = sessions
        self._codec = codec
        self._reminded: dict[tuple[str, str], float] = {}
        self.closed = False
        self.counts = dict.fromkeys(("accepted", "duplicate", "denied", "ignored", "commands"), 0)

    @property
    def _clock(self) -> Clock:
        return self._sessions.crew.clock

    # --- from channels --------------------------------------------------------------------------

    async def accept(self, account: Account, message: Incoming) -> Accepted:
        """Decide on a message and store it; once this returns, it is not lost.

        Raises:
            StorageError: It can not be stored at the moment; nothing happened.
        """
        here = self.reception
        if self.closed:
            raise StorageError("the gateway is stopping; it comes in at the next start")
        decision = here.gate.decide(message, account.channel, account.account, account.section)
        if decision.entry is Entry.IGNORED:
            self.counts["ignored"] += 1
            return Accepted(verdict=Verdict.IGNORED, reason=decision.reason)
        target = Target(
            channel=account.channel,
            account=account.account,
            chat=message.chat,
            thread=message.thread,
        )
        if decision.principal is None:
            self.counts["denied"] += 1
            log.get(channel=account.name).warning("denied", reason=decision.reason)
            if decision.entry is Entry.STRANGER and account.manners.spec.pairing:
                await self._greet(account, message, target)
            return Accepted(verdict=Verdict.DENIED, reason=decision.reason)
        key = self._session_key(account, message)
        reply_to = "" if message.direct else message.id
        place = Place(target=target, session_key=key, answers=message.id, reply_to=reply_to)
        name, arguments = command_of(text_of(message.parts))
        if name in here.orders:
            order = Order(arguments=arguments, session_key=key, principal=decision.principal)
            await self._command(name, order, place, message)
            return Accepted(verdict=Verdict.COMMAND, session_key=key, turn=message.id)
        inbound = Inbound(
            id=uuid.uuid4().hex,
            session_key=key,
            principal=decision.principal,
            target=target,
            parts=message.parts,
            received_at=message.sent_at or self._clock.now(),
            origin=Origin.USER,
            reply_to=message.reply_to,
            stored=True,
        )
        if self._at_once(name, key):
            answer = await self._sessions.ask(inbound)
            await self.say(answer, place, f"command:{inbound.id}")
            return Accepted(verdict=Verdict.COMMAND, session_key=key, turn=message.id)
        sender = message.sender if message.direct else ""
        work = Work(
            inbound=inbound,
            place=place,
            manners=account.manners,
            profile=here.agents.chosen(target, sender, message.places),
        )
        return await self._keep(work, _key(account.name, message.chat, message.id))

    def admits(self, account: Account, message: Incoming) -> bool:
        """Tell whether a message would be let in; nothing is stored, counted or answered."""
        found = self.reception.gate.decide(
            message, account.channel, account.account, account.section
        )
        return found.entry is Entry.ADMITTED

    def _session_key(self, account: Account, message: Incoming) -> str:
        if message.session:
            return f"{account.name}:{message.session}"
        if self.reception.unified:
            return "unified:default"
        return f"{account.name}:{message.chat}" + (f":{message.thread}" if message.thread else "")

    # --- from services --------------------------------------------------------------------------

    async def submit(
        self, inbound: Inbound, manners: Manners, profile: Profile | None = None
    ) -> Accepted:
        """Store a message that a service makes, under its own id, and hand it to its session.

        Args:
            profile: Who answers it, None for whoever answers in its chat.
        """
        place = Place(target=inbound.target, session_key=inbound.session_key, answers="")
        work = Work(
            inbound=replace(inbound, stored=True),
            place=place,
            manners=manners,
            profile=profile or self.reception.agents.chosen(inbound.target),
        )
        return await self._keep(work, _key("", "", inbound.id))

    async def _keep(self, work: Work, unique: str) -> Accepted:
        inbound, place = work.inbound, work.place
        row = InboxRow(
            id=inbound.id,
            key=unique,
            session_key=inbound.session_key,
            payload=self._codec.inbound(inbound, place.answers, work.profile),
        )
        try:
            new = await self._sessions.crew.store.accept(row)
        except StorageError as error:
            self._sessions.crew.storage.failed(error)
            self._excuse(place, work.manners, error)
            raise
        self._sessions.crew.storage.worked()
        if not new:
            self.counts["duplicate"] += 1
            key = inbound.session_key
            return Accepted(verdict=Verdict.DUPLICATE, session_key=key, turn=place.answers)
        self.counts["accepted"] += 1
        if await self.is_answer(inbound):
            return Accepted(
                verdict=Verdict.JOINED, session_key=inbound.session_key, turn=place.answers
            )
        joins = self._sessions.busy(inbound.session_key)
        turn = self._sessions.put(work)
        verdict = Verdict.JOINED if joins else Verdict.TURN
        return Accepted(verdict=verdict, session_key=inbound.session_key, turn=turn)

    async def is_answer(self, inbound: Inbound) -> bool:
        """Take a stored message as the answer to a question that a turn waits on, if it is one."""
        if not await self.reception.questions.take(inbound):
            return False
        await self._sessions.crew.store.finish([inbound.id])
        return True

    def _excuse(self, place: Place, manners: Manners, error: StorageError) -> None:
        """Tell a chat, now and then, that nothing can be taken; channels with events do it."""
        if manners.can("events") or not self._is_time((place.session_key, "storage")):
            return
        text = f"⚠ I can not take messages at the moment: {error.message}. I will go on by myself."
        message = Outgoing(id=f"excuse:{uuid.uuid4().hex}", target=place.target, text=text)
        self._sessions.crew.outbox.put(message, stored=False)

    def _is_time(self, what: tuple[str, str]) -> bool:
        """Tell whether it is time to say something again, and note that it is said."""
        now = self._clock.monotonic()
        if now - self._reminded.get(what, -REMIND_S) < REMIND_S:
            return False
        if len(self._reminded) >= MOST_REMINDED:
            self._reminded.clear()
        self._reminded[what] = now
        return True

    # --- what is answered at once ---------------------------------------------------------------

    async def _command(self, name: str, order: Order, place: Place, message: Incoming) -> None:
        self.counts["commands"] += 1
        spec = self.reception.commands().get(name)
        needed = spec.role if spec else Role.OWNER
        if not order.principal.role.allows(needed):
            reply = f"/{name} is for {needed}s only."
        else:
            try:
                reply = await self.reception.orders[name](order)
            except NanobotError as error:
                reply = f"⚠ {error}"
        await self.say(reply, place, f"command:{uuid.uuid4().hex}")

    def _at_once(self, name: str, session_key: str) -> bool:
        """Tell whether a command is answered although a turn runs in its session."""
        spec = self.reception.commands().get(name)
        return spec is not None and spec.while_running and self._sessions.busy(session_key)

    async def say(self, text: str, place: Place, id: str) -> None:
        """Store a message of the gateway's own and send it."""
        crew = self._sessions.crew
        outgoing = Outgoing(
            id=id,
            target=place.target,
            text=text,
            reply_to=place.reply_to,
            answers=place.answers,
        )
        await crew.store.finish([], [row_of(outgoing)])
        crew.outbox.put(outgoing)

    async def _greet(self, account: Account, message: Incoming, target: Target) -> None:
        """Offer a stranger a pairing code, now and then."""
        if not self._is_time((account.name, message.sender)):
            return
        place = Place(target=target, session_key="", answers=message.id)
        try:
            text = self.reception.offer_pairing(account.name, message.sender)
            if text:
                await self.say(text, place, f"pairing:{uuid.uuid4().hex}")
        except StorageError as error:  # a stranger must not hold up the others
            log.get(channel=account.name).error("pairing_not_offered", reason=error.message)


def _key(*parts: str) -> str:
    """Return what makes a duplicate; short, for it is kept long after the message is done with."""
    exact = json.dumps(parts).encode()
    return hashlib.blake2b(exact, digest_size=16).hexdigest()


def command_of(text: str) -> tuple[str, str]:
    """Return the name and the arguments of a slash command; empty name for anything else."""
    line = text.strip()
    if not line.startswith("/"):
        return "", ""
    head, _, arguments = line[1:].partition(" ")
    return head.partition("@")[0].lower().replace("-", "_"), arguments.strip()
