"""Messages as JSON and back, for the transcript. Old spellings are read for ever.

A picture is read back as `Stored`: its bytes stay on the disk until a model is to see them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from nanobot.messages import (
    AssistantMessage,
    BilledTokens,
    ContextTokens,
    File,
    Image,
    Message,
    Part,
    ReasoningBlock,
    Text,
    ToolCall,
    ToolResult,
    Trust,
    Usage,
    UserMessage,
)

Blobs = Callable[[str], bytes | None]
"""Returns the bytes of a stored picture by its digest, None when they are gone."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored(Image):
    """A picture whose bytes lie beside the transcripts; `data` is empty.

    Args:
        digest: Under which they lie there.
    """

    digest: str


def is_digest(text: str) -> bool:
    """Tell whether a text can be the digest of a picture."""
    return _DIGEST.fullmatch(text) is not None


def stored(parts: tuple[Part, ...], store: Callable[[bytes], str]) -> tuple[Part, ...]:
    """Return the parts with their pictures put away."""
    return tuple(
        Stored(
            data=b"",
            media_type=part.media_type,
            name=part.name,
            trust=part.trust,
            digest=store(part.data),
        )
        if isinstance(part, Image) and not isinstance(part, Stored)
        else part
        for part in parts
    )


def has_stored(message: Message) -> bool:
    """Tell whether a message has pictures that must be fetched before a model reads it."""
    if isinstance(message, UserMessage):
        return any(isinstance(part, Stored) for part in message.parts)
    return any(isinstance(part, Stored) for use in message.tool_uses for part in use.result.parts)


def fetched(message: Message, blobs: Blobs) -> Message:
    """Return a message with its pictures; one whose bytes are gone becomes a mention of it."""
    if isinstance(message, UserMessage):
        return replace(message, parts=_fetched(message.parts, blobs))
    uses = tuple(
        replace(use, result=replace(use.result, parts=_fetched(use.result.parts, blobs)))
        for use in message.tool_uses
    )
    return AssistantMessage(text=message.text, tool_uses=uses, reasoning=message.reasoning)


def _fetched(parts: tuple[Part, ...], blobs: Blobs) -> tuple[Part, ...]:
    return tuple(_fetch(part, blobs) if isinstance(part, Stored) else part for part in parts)


def _fetch(part: Stored, blobs: Blobs) -> Part:
    content = blobs(part.digest)
    if content is None:
        return _gone(part.name or part.media_type, part.trust)
    return Image(data=content, media_type=part.media_type, name=part.name, trust=part.trust)


def _gone(name: str, trust: Trust) -> Text:
    return Text(text=f"[image: {name}, no longer stored]", trust=trust)


def part_to_json(part: Part, store: Callable[[bytes], str]) -> dict[str, Any]:
    """Return a part as JSON.

    Args:
        store: Keeps the bytes of a picture and returns their digest.
    """
    marked = {"trust": str(part.trust)} if part.trust is not Trust.TRUSTED else {}
    if isinstance(part, Text):
        return {"text": part.text, **marked}
    if isinstance(part, Image):
        digest = part.digest if isinstance(part, Stored) else store(part.data)
        return {"image": digest, "mediaType": part.media_type, "name": part.name, **marked}
    return {"file": part.path, "mediaType": part.media_type, "name": part.name, **marked}


def part_from_json(data: Mapping[str, Any]) -> Part:
    """Return a part; a picture without a digest becomes a mention of it."""
    trust = Trust.UNTRUSTED if data.get("trust") == Trust.UNTRUSTED else Trust.TRUSTED
    media_type, name = _word(data, "mediaType"), _word(data, "name")
    if "image" in data:
        digest = _word(data, "image")
        if not is_digest(digest):
            return _gone(name or media_type, trust)
        return Stored(data=b"", media_type=media_type, name=name, trust=trust, digest=digest)
    if "file" in data:
        return File(path=_word(data, "file"), media_type=media_type, name=name, trust=trust)
    return Text(text=_word(data, "text"), trust=trust)


def call_to_json(call: ToolCall) -> dict[str, Any]:
    """Return a tool call as JSON."""
    data: dict[str, Any] = {"id": call.id, "name": call.name, "arguments": call.arguments}
    if call.opaque:
        data["opaque"] = dict(call.opaque)
    return data


def call_from_json(data: Mapping[str, Any]) -> ToolCall:
    """Return a tool call."""
    return ToolCall(
        id=_word(data, "id"),
        name=_word(data, "name"),
        arguments=_word(data, "arguments"),
        opaque=_object(data, "opaque"),
    )


def result_to_json(result: ToolResult, store: Callable[[bytes], str]) -> dict[str, Any]:
    """Return a tool result as JSON."""
    data: dict[str, Any] = {"parts": [part_to_json(part, store) for part in result.parts]}
    if result.is_error:
        data |= {"kind": result.kind, "retryable": result.retryable, "target": result.target}
    return data


def result_from_json(data: Mapping[str, Any]) -> ToolResult:
    """Return a tool result."""
    parts = data.get("parts")
    return ToolResult(
        parts=tuple(
            part_from_json(part)
            for part in (parts if isinstance(parts, list) else ())
            if isinstance(part, dict)
        ),
        kind=_word(data, "kind"),
        retryable=data.get("retryable") is True,
        target=_word(data, "target"),
    )


def reasoning_to_json(block: ReasoningBlock) -> dict[str, Any]:
    """Return a reasoning block as JSON."""
    return {"text": block.text, "dialect": block.dialect, "opaque": dict(block.opaque)}


def reasoning_from_json(data: Mapping[str, Any]) -> ReasoningBlock:
    """Return a reasoning block."""
    return ReasoningBlock(
        text=_word(data, "text"), dialect=_word(data, "dialect"), opaque=_object(data, "opaque")
    )


def usage_to_json(usage: Usage) -> dict[str, Any]:
    """Return usage as JSON."""
    billed = {field.name: getattr(usage.billed, field.name) for field in fields(BilledTokens)}
    return {
        "billed": {name: count for name, count in billed.items() if count},
        "context": usage.context,
        "calls": usage.calls,
        "estimated": usage.estimated,
    }


def usage_from_json(data: Mapping[str, Any]) -> Usage:
    """Return usage; numbers that are no numbers count as zero."""
    billed = _object(data, "billed")
    return Usage(
        billed=BilledTokens(
            **{field.name: _count(billed, field.name) for field in fields(BilledTokens)}
        ),
        context=ContextTokens(_count(data, "context")),
        calls=_count(data, "calls"),
        estimated=data.get("estimated") is True,
    )


def _word(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""


def _object(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _count(data: Mapping[str, Any], key: str) -> int:
    value = data.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
