"""Chats: who watches one, and everything that is told in it, numbered."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from nanobot_gateway.channel import Update

from nanobot_channel_websocket.link import Grant, Link
from nanobot_channel_websocket.ring import Ring, Run
from nanobot_channel_websocket.wire import encode, pack, quote

TOTAL_BYTES = 16 * 2**20
MOST_CHATS = 10_000
MOST_PER_CLIENT = 1_000
_ID = re.compile(r"[A-Za-z0-9_:-]{1,64}")
# What other parts of nanobot call their sessions; a chat of that name would be taken for one.
_RESERVED = frozenset(
    (
        *("agent", "api", "cli", "cron", "dream", "heartbeat", "sdk", "subagent", "system"),
        *("trigger", "unified", "webui", "websocket"),
        *("telegram", "discord", "slack", "feishu", "dingtalk", "weixin", "wecom", "qq", "napcat"),
        *("whatsapp", "matrix", "mattermost", "msteams", "signal", "email", "mochat"),
    )
)


def is_chat_id(value: object) -> TypeGuard[str]:
    """Tell whether a client may name a chat so."""
    return (
        isinstance(value, str)
        and _ID.fullmatch(value) is not None
        and value.partition(":")[0].lower() not in _RESERVED
    )


class Client:
    """A connected client.

    Args:
        chat: Id of its default chat.
    """

    __slots__ = ("attached", "chat", "grant", "link", "rich")

    def __init__(self, link: Link, grant: Grant, chat: str) -> None:
        self.link = link
        self.grant = grant
        self.chat = chat
        self.rich = grant.events
        self.attached: set[str] = set()

    def tell(self, event: str, **fields: object) -> None:
        """Send an event to this client alone."""
        self.link.write(encode({"event": event, **fields}))

    def fail(self, detail: str, text: str, **fields: object) -> None:
        """Report an error: a code for programs, and a text for people."""
        self.tell("error", detail=detail, text=text, **fields)


@dataclass(slots=True)
class Turn:
    """A turn that is being shown.

    Attributes:
        marked: Its events carry the turn's id, phase and number.
        started_at: Seconds since the epoch.
        began: The same moment on a clock that never goes back.
        step: Number of its latest event; the user's message has the first.
        segment: Number of the run of answer text.
        run: The text that is being written, if any.
        thinking: `run` is reasoning.
        written: The segment has text; so has the last one, once it is over.
        said: A segment that is over had text.
        model: The model that clients were told.
        arguments: Of the tool calls that run, by the call's id.
    """

    id: str
    marked: bool
    started_at: float
    began: float
    step: int = 1
    segment: int = 0
    run: Run | None = None
    thinking: bool = False
    written: bool = False
    said: bool = False
    model: str = ""
    arguments: dict[str, Mapping[str, object]] = field(default_factory=dict)


class Chat:
    """A chat with its watchers, its latest events and its running turn."""

    __slots__ = (
        "_plain", "_rich", "accepting", "asked", "clients", "counted", "ended", "head", "held",
        "id", "ring", "seq", "turn",
    )  # fmt: skip

    def __init__(self, id: str) -> None:
        self.id = id
        self.clients: set[Client] = set()
        self.ring = Ring()
        # Begins at the time, so that numbers of before a restart are smaller than all after it.
        self.seq = int(time.time() * 1_000_000)
        self.counted = 0
        self.turn: Turn | None = None
        self.asked: OrderedDict[str, tuple[bool, float]] = OrderedDict()
        self.accepting: set[str] = set()
        self.held: list[Update] = []
        # The turn that ended last: its id, its answer, and why it failed.
        self.ended: tuple[str, str, str] = ("", "", "")
        self.head = f'","chat_id":{quote(id)},"text":'
        self._rich: list[bytes] = []
        self._plain: list[bytes] = []

    @property
    def idle(self) -> bool:
        """Tell whether nothing is lost with it."""
        return not (self.clients or self.turn or self.accepting or self.ring.events)

    def tell(
        self, event: str, fields: Mapping[str, object], *, phase: str = "", plain: bool = False
    ) -> None:
        """Add an event; `flush` sends it.

        Args:
            phase: Phase of the turn, for an event that belongs to the running one.
            plain: It is for clients, too, that read nothing but text.
        """
        self.seq += 1
        made: dict[str, object] = {"event": event, "chat_id": self.id, **fields}
        turn = self.turn
        if phase and turn and turn.marked:
            turn.step += 1
            made |= {"turn_id": turn.id, "turn_phase": phase, "turn_seq": turn.step}
        made["seq"] = self.seq
        data = encode(made)
        self.ring.add(self.seq, data)
        self._rich.append(data)
        if plain:
            self._plain.append(data)

    def begin(self, event: str, tail: str) -> Run:
        """Begin a text whose pieces `write` adds.

        Args:
            event: Name of the event of each piece.
            tail: JSON of further fields.
        """
        turn = self.turn
        step = turn.step + 1 if turn and turn.marked else 0
        run = Run(f'{{"event":"{event}{self.head}', tail, self.seq + 1, step)
        self.ring.start(run)
        return run

    def write(self, run: Run, text: str, *, plain: bool) -> bool:
        """Add a piece of a text; False if something came in between and a new one must begin."""
        if not self.ring.grow(run, text):
            return False
        self.seq += 1
        if self.turn and self.turn.marked:
            self.turn.step += 1
        if self.clients:
            data = run.frame(text)
            self._rich.append(data)
            if plain:
                self._plain.append(data)
        return True

    def tell_plain(self, event: str, text: str) -> None:
        """Add an event for clients alone that read nothing but text."""
        if self.clients:
            self._plain.append(pack(f'{{"event":"{event}{self.head}{quote(text)}}}'))

    def flush(self, *, but: Client | None = None) -> None:
        """Send what was added, each list of frames joined once for all who get it."""
        rich, plain = self._rich, self._plain
        if rich or plain:
            self._rich, self._plain = [], []
            if self.clients:
                whole, texts = b"".join(rich), b"".join(plain)
                for client in self.clients:
                    data = whole if client.rich else texts
                    if data and client is not but:
                        client.link.write(data)


class Chats:
    """All chats; what they keep is bounded over all of them."""

    def __init__(self) -> None:
        self._chats: OrderedDict[str, Chat] = OrderedDict()
        self._kept = 0

    def get(self, id: str) -> Chat:
        """Return a chat, making it if it is new."""
        chat = self._chats.get(id)
        if chat is None:
            chat = self._chats[id] = Chat(id)
            if len(self._chats) % MOST_CHATS == 0:
                self._trim()
        return chat

    def find(self, id: str) -> Chat | None:
        """Return a chat if it is known."""
        return self._chats.get(id)

    def flush(self, chat: Chat, *, but: Client | None = None) -> None:
        """Send what was added to a chat, and keep the whole within its bounds."""
        chat.flush(but=but)
        self._kept += chat.ring.size - chat.counted
        chat.counted = chat.ring.size
        self._chats.move_to_end(chat.id)
        if self._kept > TOTAL_BYTES:
            self._trim()

    def attach(self, client: Client, id: str) -> Chat | None:
        """Let a client watch a chat; None when it watches as many as it may."""
        if id not in client.attached and len(client.attached) >= MOST_PER_CLIENT:
            return None
        chat = self.get(id)
        chat.clients.add(client)
        client.attached.add(id)
        return chat

    def leave(self, client: Client) -> None:
        """Forget a client."""
        for id in client.attached:
            chat = self._chats.get(id)
            if chat:
                chat.clients.discard(client)
                self.forget(chat)
        client.attached.clear()

    def forget(self, chat: Chat) -> None:
        """Drop a chat with which nothing is lost."""
        if chat.idle and chat.id in self._chats:
            del self._chats[chat.id]

    def _trim(self) -> None:
        """Forget the events of the chats in which nothing happened for the longest time.

        A quarter more than needed goes, so that it is not done at every event.
        """
        for chat in list(self._chats.values())[:-1]:
            if self._kept <= TOTAL_BYTES * 3 // 4 and len(self._chats) <= MOST_CHATS * 3 // 4:
                return
            self._kept -= chat.counted
            chat.counted = 0
            chat.ring.clear()
            self.forget(chat)
