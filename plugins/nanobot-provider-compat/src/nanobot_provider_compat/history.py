"""A conversation in the chat dialect.

Source: OpenAI API reference, "Create chat completion". Beyond it, many servers want roles to
alternate, the first message to be a user's, no empty content, ids of tool calls that occur once,
and arguments that are a JSON object; all of that is made true here.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal, TypeGuard

from nanobot.messages import (
    AssistantMessage,
    Image,
    Message,
    Part,
    Text,
    ToolUse,
    UserMessage,
    text_of,
)
from nanobot.provider import Segment

from nanobot_provider_compat.models import matches, rules_for
from nanobot_provider_compat.vendor import Vendor

DIALECT = "chat"
STRUCTURED = ("reasoning_details", "thinking_blocks")
"""Fields with reasoning in objects, which go back as they came: OpenRouter's and LiteLLM's."""

_EMPTY = "(empty)"
_CONTINUED = "(conversation continued)"
_ID_STYLES = {
    "any": re.compile(r"[A-Za-z0-9_-]{1,64}"),
    "nine": re.compile(r"[A-Za-z0-9]{9}"),
}
_MARK = {"type": "ephemeral"}
_PICTURES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_UNSIGNED = {"google": {"thought_signature": "skip_thought_signature_validator"}}

Wire = dict[str, Any]


class History:
    """Writes one conversation for one vendor.

    Args:
        vendor: What it does its own way.
        provider: Its name; opaque reasoning goes back only to where it came from.
        model: Model id as it is sent.
        used: Ids of tool calls that may not be used again, in order; new ones are added to it.
        after: Role of the message before the first that is added, empty when there is none.
    """

    def __init__(
        self,
        vendor: Vendor,
        provider: str,
        model: str,
        used: dict[str, None] | None = None,
        after: str = "",
    ) -> None:
        self._vendor = vendor
        self._provider = provider
        self._manners = manners(vendor, model)
        self._strings = self._manners.strings
        self._marks = takes_marks(vendor, model)
        self._after = after
        self.used = {} if used is None else used
        self._wire: list[Wire] = []

    def add(self, message: Message) -> list[Wire]:
        """Take a message; return those that are finished, as it does not join them.

        What is returned is not part of `write` any more.
        """
        wire = self._wire
        before, last = len(wire), wire[-1] if wire else None
        self._add(message)
        if not before or len(wire) == before or wire[before - 1] is not last:
            return []
        finished = wire[:before]
        del wire[:before]
        return _filled(finished)

    def write(
        self, system: Sequence[Segment], messages: Iterable[Message], *, first: str = ""
    ) -> tuple[list[Wire], list[Wire]]:
        """Return what comes before and what comes after the finished messages.

        Without finished messages the two together are the value of ``messages``.

        Args:
            messages: Those that were not added yet.
            first: Role of the first finished message, empty when there is none.
        """
        for message in messages:
            self._add(message)
        head: list[Wire] = []
        tail = _filled(self._wire)
        words = "\n\n".join(segment.text for segment in system if segment.text)
        if words:
            head.append({"role": "system", "content": words})
        if not first and tail:
            first = tail[0]["role"]
        if first in ("", "assistant"):
            head.append({"role": "user", "content": _CONTINUED})
        if tail and tail[-1]["role"] == "assistant":
            tail.append({"role": "user", "content": _CONTINUED})
        if self._marks:
            _mark([*head, *tail])
        return head, tail

    def _add(self, message: Message) -> None:
        if isinstance(message, UserMessage):
            self._user(message)
        else:
            self._assistant(message)

    def _user(self, message: UserMessage) -> None:
        parts: tuple[Part, ...] = message.parts
        if message.context:
            parts = (*parts, Text(text=message.context))
        self._add_user(self._content(parts))

    def _add_user(self, content: str | list[Wire]) -> None:
        last = self._wire[-1] if self._wire else None
        if last is not None and last["role"] == "user":
            last["content"] = _joined(last["content"], content)
            return
        before = last["role"] if last is not None else self._after
        if before == "tool" and self._manners.bridge:
            self._wire.append({"role": "assistant", "content": _CONTINUED})
        self._wire.append({"role": "user", "content": content})

    def _content(self, parts: Sequence[Part]) -> str | list[Wire]:
        """Return content as text, or as blocks if there is a picture and the vendor takes them."""
        if self._strings or not any(_shows(part) for part in parts):
            return "\n\n".join(filter(None, (text_of((part,)) for part in parts)))
        blocks: list[Wire] = []
        for part in parts:
            if _shows(part):
                url = f"data:{part.media_type};base64,{b64encode(part.data).decode()}"
                blocks.append({"type": "image_url", "image_url": {"url": url}})
            elif not isinstance(part, Text) or part.text:
                blocks.append({"type": "text", "text": text_of((part,))})
        return blocks

    def _assistant(self, message: AssistantMessage) -> None:
        if not message.text and not message.tool_uses:
            return
        wire: Wire = {"role": "assistant", "content": message.text}
        self._reasoning(wire, message)
        last = self._wire[-1] if self._wire else None
        if last is not None and last["role"] == "assistant":
            wire["content"] = "\n\n".join(filter(None, (last["content"], message.text)))
            self._wire.pop()
        self._wire.append(wire)
        if not message.tool_uses:
            return
        if not wire["content"] and not self._strings:
            wire["content"] = None
        ids = [self._id(use.call.id) for use in message.tool_uses]
        wire["tool_calls"] = [
            self._call(use, call_id, first=call_id == ids[0])
            for use, call_id in zip(message.tool_uses, ids, strict=True)
        ]
        for use, call_id in zip(message.tool_uses, ids, strict=True):
            content = use.result.text or _EMPTY
            self._wire.append({"role": "tool", "tool_call_id": call_id, "content": content})
        self._pictures(message.tool_uses)

    def _pictures(self, uses: Sequence[ToolUse]) -> None:
        """Hand over pictures that tools returned; a tool message can only hold text."""
        if self._strings:
            return
        for use in uses:
            pictures = tuple(part for part in use.result.parts if _shows(part))
            if pictures:
                about = Text(text=f"(pictures returned by {use.call.name})")
                self._add_user(self._content((about, *pictures)))

    def _call(self, use: ToolUse, call_id: str, *, first: bool) -> Wire:
        name = re.sub(r"[^A-Za-z0-9_-]", "_", use.call.name)[:64] or "unknown"
        function = {"name": name, "arguments": _object_text(use.call.arguments)}
        wire: Wire = {"id": call_id, "type": "function", "function": function}
        if self._vendor.signed_calls:
            signed = use.call.opaque.get("extra_content")
            if signed or first:
                wire["extra_content"] = signed or _UNSIGNED
        return wire

    def _id(self, call_id: str) -> str:
        """Return an id that the vendor takes and that this request has not used yet.

        A made id depends on the given one alone, so a history reads the same from turn to turn and
        prompt caches hit.
        """
        made, attempt = call_id, 0
        while not _ID_STYLES[self._vendor.tool_id_style].fullmatch(made) or made in self.used:
            made = blake2b(f"{call_id}#{attempt}".encode("utf-8", "replace")).hexdigest()[:9]
            attempt += 1
        self.used[made] = None
        return made

    def _reasoning(self, wire: Wire, message: AssistantMessage) -> None:
        if not self._manners.reasoning:
            return
        blocks = [block for block in message.reasoning if block.dialect == DIALECT]
        own = [block for block in blocks if block.opaque.get("provider") == self._provider]
        text = "\n".join(filter(None, (block.text for block in blocks)))
        structured = {
            name: details
            for name in STRUCTURED
            if (details := [d for block in own for d in _list(block.opaque.get(name))])
        }
        if structured:
            wire.update(structured)
        elif text or self._manners.reasoning == "required":
            wire["reasoning_content"] = text


@dataclass(frozen=True, kw_only=True, slots=True)
class Manners:
    """How a model wants to be talked to.

    Args:
        strings: Content must be a string, so pictures become words.
        reasoning: Whether answers carry their reasoning; empty when they must not.
        bridge: A message of the user may not follow the results of tools.
    """

    strings: bool
    reasoning: Literal["", "kept", "required"]
    bridge: bool


def manners(vendor: Vendor, model: str) -> Manners:
    """Return how a vendor's model wants to be talked to."""
    rules = rules_for(model)
    policy = vendor.replay_reasoning
    reasoning: Literal["", "kept", "required"] = "kept" if policy == "keep" else ""
    required = policy == "required_empty" or any(rule.reasoning_required for rule in rules)
    if required and policy != "drop":
        reasoning = "required"
    sees = any(matches(pattern, model) for pattern in vendor.picture_models)
    return Manners(
        strings=vendor.string_content_only and not sees,
        reasoning=reasoning,
        bridge=any(rule.answer_after_tools for rule in rules),
    )


def takes_marks(vendor: Vendor, model: str) -> bool:
    """Tell whether a model wants marks for its cache."""
    return any(matches(pattern, model) for pattern in vendor.cache_markers)


def settled(vendor: Vendor, model: str, messages: Sequence[Message]) -> int:
    """Return how many of the first messages read the same whatever follows that does not join them.

    The last message of the user does not where marks are set, for it gets one.
    """
    if not takes_marks(vendor, model):
        return len(messages)
    indices = range(len(messages) - 1, -1, -1)
    return next((n for n in indices if isinstance(messages[n], UserMessage)), 0)


def _filled(wire: list[Wire]) -> list[Wire]:
    for sent in wire:
        if not sent["content"] and "tool_calls" not in sent:
            sent["content"] = _EMPTY
    return wire


def _shows(part: Part) -> TypeGuard[Image]:
    """Tell whether a part is a picture of a kind that every vendor reads; others are words."""
    return isinstance(part, Image) and part.media_type in _PICTURES


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _joined(first: str | list[Wire], second: str | list[Wire]) -> str | list[Wire]:
    if isinstance(first, str) and isinstance(second, str):
        return "\n\n".join(filter(None, (first, second)))
    return [*_blocks(first), *_blocks(second)]


def _blocks(content: str | list[Wire]) -> list[Wire]:
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []


def _object_text(arguments: str) -> str:
    """Return the arguments unchanged if they are a JSON object, else an empty one."""
    try:
        parsed = json.loads(arguments, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return "{}"
    return arguments if isinstance(parsed, dict) else "{}"


def _refuse(constant: str) -> None:
    """Refuse NaN and Infinity, which Python reads and JSON does not know."""
    raise ValueError(constant)


def _mark(wire: list[Wire]) -> None:
    """Set cache marks behind the system prompt and behind the last user message."""
    marked = [message for message in wire if message["role"] == "system"]
    marked += [message for message in wire if message["role"] == "user"][-1:]
    for message in marked:
        blocks = _blocks(message["content"])
        blocks[-1] = {**blocks[-1], "cache_control": _MARK}
        message["content"] = blocks
