"""Conversations as JSON, of which a request writes only what the one before it did not have.

A conversation grows at its end, and the messages before that are the same objects from request to
request; so their bytes are kept.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress, count
from operator import is_not
from typing import Any

from nanobot.messages import Image, Message, Part, UserMessage
from nanobot.provider import ModelRequest

from nanobot_provider_compat.history import History, Manners, Wire, manners, settled
from nanobot_provider_compat.surrogates import mend
from nanobot_provider_compat.vendor import Vendor

MAX_KEPT = 32 * 1024 * 1024
"""Bytes that all kept conversations of a provider may have."""

_Key = tuple[str, Manners]
_MAX_CONVERSATIONS = 256
_BATCH = 32
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=dict).encode


def encode(value: Any) -> bytes:
    """Return a value as JSON; a lone half of a surrogate pair becomes a replacement character."""
    text = _to_json(value)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return mend(text).encode()


class Conversations:
    """Writes the messages of requests, and keeps what the next requests will need again.

    It keeps the conversations that were used last, and never more than its limit.

    Args:
        max_kept: Most bytes to keep, counting JSON and pictures.
    """

    def __init__(self, max_kept: int = MAX_KEPT) -> None:
        self._max_kept = max_kept
        self._kept: OrderedDict[_Key, _Conversation] = OrderedDict()
        self._weight = 0

    @property
    def weight(self) -> int:
        """Return how many bytes are kept."""
        return self._weight

    def write(self, request: ModelRequest, vendor: Vendor, provider: str) -> tuple[bytes, ...]:
        """Return the JSON of the messages, without brackets around it, in pieces.

        The vendor and the provider's name must be the same in all calls.
        """
        model = vendor.model_id(request.model)
        key = request.cache_key, manners(vendor, model)
        # Whatever goes wrong below, nothing half done is kept.
        known = self._kept.pop(key, None) or _Conversation()
        self._weight -= known.weight
        past = request.messages[: settled(vendor, model, request.messages)]
        known.keep(past)
        history = History(vendor, provider, model, dict.fromkeys(known.ids), known.end.last)
        known.extend(past, history)
        head, tail = history.write(request.system, request.messages[len(past) :], first=known.first)
        if known.wire:
            self._keep(key, known)
        comma = b"," if head and tail else b""
        return encode(head)[1:-1], comma, known.wire, encode(tail)[1:-1]

    def _keep(self, key: _Key, known: _Conversation) -> None:
        self._kept[key] = known
        self._weight += known.weight
        while self._weight > self._max_kept or len(self._kept) > _MAX_CONVERSATIONS:
            _, oldest = self._kept.popitem(last=False)
            self._weight -= oldest.weight


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """A place between two messages that do not join, and what is before it.

    Args:
        messages: How many messages.
        size: Bytes of JSON.
        pictures: Bytes of pictures.
        ids: How many ids of tool calls.
        last: Role of the last message in the JSON.
    """

    messages: int = 0
    size: int = 0
    pictures: int = 0
    ids: int = 0
    last: str = ""


@dataclass(kw_only=True, slots=True)
class _Conversation:
    """The messages of a conversation that no later message can join, and their JSON.

    Args:
        wire: Each message in JSON with a comma behind it.
        ids: Of the tool calls.
        starts: Where batches of messages start.
        end: Where the last of them ends.
        first: Role of the first message in the JSON.
    """

    messages: tuple[Message, ...] = ()
    wire: bytes = b""
    ids: list[str] = field(default_factory=list)
    starts: list[_Place] = field(default_factory=list)
    end: _Place = field(default_factory=_Place)
    first: str = ""

    @property
    def weight(self) -> int:
        """Return about how many bytes it takes."""
        return self.end.size + self.end.pictures

    def keep(self, messages: Sequence[Message]) -> None:
        """Forget all but what comes from the first of these messages.

        The last batch of these is forgotten too, for what follows may join it now.
        """
        alike = _alike(self.messages, messages)
        last = bisect_left(self.starts, alike, key=lambda place: place.messages) - 1
        self.end = self.starts[last] if last >= 0 else _Place()
        self.messages = self.messages[: self.end.messages]
        self.wire = self.wire[: self.end.size]
        del self.ids[self.end.ids :], self.starts[max(last, 0) :]
        if not self.wire:
            self.first = ""

    def extend(self, messages: Sequence[Message], history: History) -> None:
        """Write the messages that follow, but for the last, which stay in the history."""
        pieces = [self.wire]
        finished: list[Wire] = []
        start = self.end
        end, pictures, ids = start.messages, start.pictures, start.ids

        def close() -> _Place:
            """Write what is finished as one batch; return its end."""
            pieces.append(encode(finished)[1:-1] + b",")
            self.first = self.first or finished[0]["role"]
            self.starts.append(start)
            last = finished[-1]["role"]
            finished.clear()
            grown = start.size + len(pieces[-1])
            return _Place(messages=end, size=grown, pictures=pictures, ids=ids, last=last)

        held, used = pictures, history.used  # with the messages that are not finished
        for index in range(end, len(messages)):
            before = len(used)
            message = messages[index]
            if done := history.add(message):
                finished += done
                end, pictures, ids = index, held, before
                if len(finished) >= _BATCH:
                    start = close()
            held += _picture_bytes(message)
        self.end = close() if finished else start
        self.messages = tuple(messages[:end])
        self.wire = b"".join(pieces)
        self.ids = list(used)[:ids]


def _alike(old: Sequence[Message], new: Sequence[Message]) -> int:
    """Return how many messages at the beginning are the same."""
    for index in compress(count(), map(is_not, old, new)):
        if not _same(old[index], new[index]):
            return index
    return min(len(old), len(new))


def _same(old: Message, new: Message) -> bool:
    """Tell whether two objects are one message, whose pictures were read anew.

    What vendors sent is compared by identity: equal values may differ in JSON, as 1 and true do.
    """
    if isinstance(old, UserMessage) or isinstance(new, UserMessage):
        return old == new
    return (
        old.text == new.text
        and old.reasoning is new.reasoning
        and len(old.tool_uses) == len(new.tool_uses)
        and all(
            one.call is other.call and one.result == other.result
            for one, other in zip(old.tool_uses, new.tool_uses, strict=True)
        )
    )


def _picture_bytes(message: Message) -> int:
    if isinstance(message, UserMessage):
        return _bytes(message.parts)
    return sum(_bytes(use.result.parts) for use in message.tool_uses) if message.tool_uses else 0


def _bytes(parts: Sequence[Part]) -> int:
    size = 0
    for part in parts:
        if isinstance(part, Image):
            size += len(part.data)
    return size
