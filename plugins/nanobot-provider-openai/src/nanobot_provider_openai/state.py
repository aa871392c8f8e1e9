"""Conversations that the vendor keeps: where one may go on, and whether it is still the same.

The id of a stored response lies in the transcript, with a digest of the conversation that led to
it. If that was changed since (compacted, edited, held with another vendor), the digest does not
fit, and the conversation is sent whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nanobot.messages import AssistantMessage, Message

from nanobot_provider_openai.convert import Item, conversation, encode, is_own


@dataclass(frozen=True, kw_only=True, slots=True)
class Resumption:
    """A stored response, and what came after it.

    Args:
        response: The id of the response.
        items: The input items that the vendor does not have.
    """

    response: str
    items: list[Item]


def digest(messages: Sequence[Message], model: str, address: str) -> str:
    """Return what tells a conversation with a model at an address from all others."""
    told: dict[str, Any] = {"at": address, "input": conversation(messages, model), "model": model}
    return hashlib.sha256(encode(told)).hexdigest()


def resumption(messages: Sequence[Message], model: str, address: str) -> Resumption | None:
    """Return from where a conversation may go on; None when it must be sent whole."""
    for end in range(len(messages) - 1, 0, -1):
        message = messages[end]
        if not isinstance(message, AssistantMessage):
            continue
        for block in message.reasoning:
            stored = block.opaque.get("response")
            if isinstance(stored, str) and is_own(block, model):
                same = block.opaque.get("digest") == digest(messages[:end], model, address)
                return _after(messages, end, model, stored) if same else None
        return None
    return None


def _after(messages: Sequence[Message], end: int, model: str, response: str) -> Resumption | None:
    """Return the outputs of the calls in message ``end``, and all messages that follow it."""
    whole = conversation(messages, model)
    first = len(conversation(messages[:end], model))
    last = len(conversation(messages[: end + 1], model))
    outputs = [item for item in whole[first:last] if item.get("type") == "function_call_output"]
    items = [*outputs, *whole[last:]]
    return Resumption(response=response, items=items) if items else None
