"""Turns a request of nanobot into the body of a Messages request."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from nanobot.messages import (
    AssistantMessage,
    Image,
    Message,
    Part,
    ReasoningBlock,
    Text,
    ToolUse,
    UserMessage,
    text_of,
)
from nanobot.provider import ModelRequest

from nanobot_provider_anthropic.thinking import abilities, plan

DIALECT = "anthropic"
RESERVED = frozenset({"messages", "model", "stream", "system"})
"""Body members that ``extraBody`` can not set; its ``tools`` are added."""

_CACHE = {"type": "ephemeral"}
_IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_TOOL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_OPENER = "(The conversation continues.)"
_CONTINUE = "Please continue."
_NOTHING = "(empty message)"
_UNKNOWN = "(not recorded)"

Block = dict[str, Any]
Replay = Literal["signed", "all", "required"]


def body(
    request: ModelRequest, *, caching: bool, extra: Mapping[str, Any], replay: Replay = "signed"
) -> dict[str, Any]:
    """Return the JSON body for a request.

    Args:
        request: What to ask.
        caching: True to mark prompt cache breakpoints.
        extra: The configured ``extraBody``; merged deeply, tools appended.
        replay: Which thinking goes back; see `nanobot_provider_anthropic.vendor.Vendor`.
    """
    effort = request.reasoning_effort
    if not abilities(request.model).adaptive and _step_without_thinking(request, replay):
        effort = "none"  # within a budget, an open tool step must start with its thinking
    planned = plan(request.model, effort, request.max_tokens)
    made: dict[str, Any] = {
        "model": request.model,
        "max_tokens": planned.max_tokens,
        "messages": conversation(request.messages, request.model, replay),
        "stream": True,
        **{name: dict(value) for name, value in planned.fields.items()},
    }
    system = [_text(segment.text) for segment in request.system if segment.text.strip()]
    if system:
        made["system"] = system
    tools = _tools(request)
    if tools:
        made["tools"] = tools
        if request.tool_choice == "none" or not request.tools:
            made["tool_choice"] = {"type": "none"}
    sampling = abilities(request.model).sampling and not planned.thinks
    if request.temperature is not None and sampling:
        made["temperature"] = min(max(request.temperature, 0.0), 1.0)
    if caching:
        _mark(made)
    _merge(made, {name: value for name, value in extra.items() if name not in RESERVED})
    return made


def conversation(
    messages: Sequence[Message], model: str, replay: Replay = "signed"
) -> list[dict[str, Any]]:
    """Return the messages as the vendor wants them.

    Roles alternate, the first and the last message are the user's, no text is blank, tool ids are
    valid and unique, and every tool_use is followed by its tool_result.
    """
    out: list[dict[str, Any]] = []
    taken: set[str] = set()

    def add(role: str, blocks: list[Block]) -> None:
        if out and out[-1]["role"] == role:
            out[-1]["content"] += blocks
        elif blocks:
            out.append({"role": role, "content": blocks})

    for message in messages:
        if isinstance(message, UserMessage):
            add("user", _user(message))
            continue
        ids = [_unique(use.call.id, taken) for use in message.tool_uses]
        blocks = _assistant(message, ids, model, replay)
        if blocks and not out:
            add("user", [_text(_OPENER)])
        add("assistant", blocks)
        results = zip(message.tool_uses, ids, strict=True)
        add("user", [_result(use, tool_id) for use, tool_id in results])
    if not out or out[-1]["role"] == "assistant":
        add("user", [_text(_CONTINUE if out else _NOTHING)])
    return out


def encode(made: Mapping[str, Any]) -> bytes:
    """Return a body as JSON; a lone half of a surrogate pair becomes a question mark."""
    text = json.dumps(made, ensure_ascii=False, separators=(",", ":"), default=dict)
    return text.encode("utf-8", "replace")


def _tools(request: ModelRequest) -> list[Block]:
    if request.tools:
        return [
            {
                "name": tool.name,
                "description": tool.description,
                "input_schema": dict(tool.parameters),
            }
            for tool in request.tools
        ]
    # A history with tool blocks is refused when no tool is defined.
    names = {
        _name(use.call.name): None
        for message in request.messages
        if isinstance(message, AssistantMessage)
        for use in message.tool_uses
    }
    return [{"name": name, "input_schema": {"type": "object"}} for name in names]


def _user(message: UserMessage) -> list[Block]:
    blocks = _parts(message.parts)
    if message.context.strip():
        blocks.append(_text(message.context))
    return blocks or [_text(_NOTHING)]


def _assistant(
    message: AssistantMessage, ids: Sequence[str], model: str, replay: Replay
) -> list[Block]:
    answer = [_text(message.text)] if message.text.strip() else []
    calls = [
        {
            "type": "tool_use",
            "id": tool_id,
            "name": _name(use.call.name),
            "input": _arguments(use.call.arguments),
        }
        for use, tool_id in zip(message.tool_uses, ids, strict=True)
    ]
    if not answer and not calls:
        return []
    thoughts = _thoughts(message.reasoning, model, replay)
    if replay == "required" and calls and not thoughts:
        thoughts = [{"type": "thinking", "thinking": _UNKNOWN}]
    return [*thoughts, *answer, *calls]


def _thoughts(reasoning: Iterable[ReasoningBlock], model: str, replay: Replay) -> list[Block]:
    """Return the blocks that the vendor wants back for this model, as they came."""
    blocks: list[Block] = []
    for block in reasoning:
        if block.dialect != DIALECT or block.opaque.get("model", model) != model:
            continue
        if signature := block.opaque.get("signature"):
            blocks.append({"type": "thinking", "thinking": block.text, "signature": signature})
        elif block.text and replay != "signed":
            blocks.append({"type": "thinking", "thinking": block.text})
        elif data := block.opaque.get("data"):
            blocks.append({"type": "redacted_thinking", "data": data})
    return blocks


def _step_without_thinking(request: ModelRequest, replay: Replay) -> bool:
    last = request.messages[-1] if request.messages else None
    if not isinstance(last, AssistantMessage) or not last.tool_uses or replay == "required":
        return False
    return not _thoughts(last.reasoning, request.model, replay)


def _result(use: ToolUse, tool_id: str) -> Block:
    block: Block = {"type": "tool_result", "tool_use_id": tool_id}
    if content := _parts(use.result.parts):
        block["content"] = content
    if use.result.is_error:
        block["is_error"] = True
    return block


def _parts(parts: Iterable[Part]) -> list[Block]:
    blocks = []
    for part in parts:
        if isinstance(part, Image) and part.media_type in _IMAGES:
            data = base64.b64encode(part.data).decode()
            source = {"type": "base64", "media_type": part.media_type, "data": data}
            blocks.append({"type": "image", "source": source})
            continue
        words = part.text if isinstance(part, Text) else text_of((part,))
        if words.strip():
            blocks.append(_text(words))
    return blocks


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _arguments(arguments: str) -> dict[str, Any]:
    """Parse the arguments of an old call; what is no JSON object becomes an empty one."""
    try:
        parsed = json.loads(arguments, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _refuse(constant: str) -> None:
    """Refuse NaN and Infinity, which Python reads and JSON does not know."""
    raise ValueError(constant)


def _name(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:64] or "unknown"


def _unique(tool_id: str, taken: set[str]) -> str:
    """Return the id if it is valid and new, else one derived from it, the same every time."""
    made = tool_id
    number = 0
    while not _TOOL_ID.fullmatch(made) or made in taken:
        seed = f"{number}:{tool_id}".encode("utf-8", "replace")
        made = f"toolu_{hashlib.sha256(seed).hexdigest()[:24]}"
        number += 1
    taken.add(made)
    return made


def _merge(made: dict[str, Any], extra: Mapping[str, Any]) -> None:
    """Merge a configured body, deeply; null removes a field, tools are appended."""
    for name, value in extra.items():
        old = made.get(name)
        if value is None:
            made.pop(name, None)
        elif name == "tools":
            made[name] = [*(old or []), *(value if isinstance(value, list) else [])]
        elif isinstance(value, Mapping) and isinstance(old, dict):
            _merge(old, value)
        else:
            made[name] = value


def _mark(made: dict[str, Any]) -> None:
    """Set the four cache breakpoints: tools, system, and the last two messages of the user.

    The last message is written to the cache so that the next request can read it; the one before
    is where this request reads.
    """
    for blocks in (made.get("tools"), made.get("system")):
        if blocks:
            blocks[-1]["cache_control"] = _CACHE
    users = [message for message in made["messages"] if message["role"] == "user"]
    for message in users[-2:]:
        message["content"][-1]["cache_control"] = _CACHE
