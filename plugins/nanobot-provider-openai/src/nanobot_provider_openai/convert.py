"""Turns a request of nanobot into the body of a Responses request.

Source: OpenAI API reference, "Create a model response". A request carries the whole conversation,
and reasoning as the vendor encrypted it; nothing is stored with the vendor.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

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

from nanobot_provider_openai.models import reasoning_fields

DIALECT = "responses"
RESERVED = frozenset({"input", "instructions", "model", "previous_response_id", "store", "stream"})
"""Body members that ``extraBody`` can not set; its ``tools`` and ``include`` are added."""

_APPENDED = frozenset({"include", "tools"})
_IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_CALL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_LEAST_OUTPUT = 16  # the vendor refuses a lower limit
_NOTHING = "(empty message)"
_NO_OUTPUT = "(no output)"

_HOSTED: Mapping[str, Mapping[str, Any]] = {
    "web_search": {"type": "web_search"},
    "x_search": {"type": "x_search"},
    "code_interpreter": {"type": "code_interpreter", "container": {"type": "auto"}},
}

Item = dict[str, Any]


def body(
    request: ModelRequest,
    *,
    summary: str | None,
    extra: Mapping[str, Any],
    patch: Mapping[str, Any] | None = None,
    hosted: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the JSON body for a request.

    Args:
        request: What to ask.
        summary: Which summary of the reasoning to ask for.
        extra: The configured ``extraBody``; merged deeply.
        patch: What the vendor wants in each body, or with null does not; merged before ``extra``.
        hosted: Names of tools that run at the vendor.
    """
    made: dict[str, Any] = {
        "model": request.model,
        "input": conversation(request.messages, request.model),
        "max_output_tokens": max(request.max_tokens, _LEAST_OUTPUT),
        "store": False,
        "stream": True,
        **reasoning_fields(request.model, request.reasoning_effort, request.temperature, summary),
    }
    if system := "\n\n".join(part.text for part in request.system if part.text.strip()):
        made["instructions"] = system
    if request.tools:
        made["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": dict(tool.parameters),
                "strict": False,
            }
            for tool in request.tools
        ]
        if request.tool_choice == "none":
            made["tool_choice"] = "none"
    if request.cache_key:
        made["prompt_cache_key"] = request.cache_key
    if request.tool_choice != "none":
        _merge(made, {"tools": [dict(_HOSTED[name]) for name in hosted]})
    _merge(made, patch or {})
    _merge(made, {name: value for name, value in extra.items() if name not in RESERVED})
    _prefer_hosted_search(made)
    return made


def _prefer_hosted_search(made: dict[str, Any]) -> None:
    """Leave the vendor's web search alone in a body, and ask for its sources."""
    tools = made.get("tools") or []
    if any(_text_of(tool, "type").startswith("web_search") for tool in tools):
        made["tools"] = [tool for tool in tools if _text_of(tool, "name") != "web_search"]
        _merge(made, {"include": ["web_search_call.action.sources"]})
    elif not tools:
        made.pop("tools", None)


def _text_of(entry: object, name: str) -> str:
    return str(entry.get(name, "")) if isinstance(entry, Mapping) else ""


def encode(made: Mapping[str, Any]) -> bytes:
    """Return a body as JSON; a lone half of a surrogate pair becomes a question mark."""
    text = json.dumps(made, ensure_ascii=False, separators=(",", ":"), default=dict)
    return text.encode("utf-8", "replace")


def conversation(messages: Iterable[Message], model: str) -> list[Item]:
    """Return the messages as input items: every call has one output, all ids are valid and new."""
    items: list[Item] = []
    taken: set[str] = set()
    for message in messages:
        if isinstance(message, UserMessage):
            items.append({"role": "user", "content": _user(message)})
        else:
            items += _assistant(message, model, taken)
    return items or [{"role": "user", "content": [_text(_NOTHING)]}]


def _user(message: UserMessage) -> list[Item]:
    content = _parts(message.parts)
    if message.context.strip():
        content.append(_text(message.context))
    return content or [_text(_NOTHING)]


def _assistant(message: AssistantMessage, model: str, taken: set[str]) -> list[Item]:
    own = [block for block in message.reasoning if is_own(block, model)]
    items: list[Item] = []
    outputs: list[Item] = []
    if message.text.strip():
        said: Item = {"type": "message", "role": "assistant"}
        said["content"] = [{"type": "output_text", "text": message.text}]
        phases = [block.opaque["phase"] for block in own if "phase" in block.opaque]
        if phases:
            said["phase"] = phases[-1]
        items += [*_reasoning_before("", own), said]
    for use in message.tool_uses:
        call_id = _unique(use.call.id, taken)
        call = {
            "type": "function_call",
            "call_id": call_id,
            "name": re.sub(r"[^a-zA-Z0-9_-]", "_", use.call.name)[:64] or "unknown",
            "arguments": _arguments(use.call.arguments),
        }
        items += [*_reasoning_before(use.call.id, own), call]
        outputs.append({"type": "function_call_output", "call_id": call_id, "output": _output(use)})
    return items + outputs


def is_own(block: ReasoningBlock, model: str) -> bool:
    """Tell whether the vendor wrote a block, for this model; no other can read it."""
    return block.dialect == DIALECT and block.opaque.get("model", model) == model


def _reasoning_before(follower: str, own: Iterable[ReasoningBlock]) -> list[Item]:
    """Return the reasoning that led to a call, or to the text; it may only be sent before that."""
    items = (block.opaque.get("item") for block in own if block.opaque.get("before") == follower)
    return [
        dict(item) for item in items if isinstance(item, Mapping) and item.get("encrypted_content")
    ]


def _output(use: ToolUse) -> str | list[Item]:
    result = use.result
    if any(isinstance(part, Image) for part in result.parts):
        return _parts(result.parts)
    text = result.text or _NO_OUTPUT
    return f"[error: {result.kind}] {text}" if result.is_error else text


def _parts(parts: Iterable[Part]) -> list[Item]:
    content = []
    for part in parts:
        if isinstance(part, Image) and part.media_type in _IMAGES:
            data = base64.b64encode(part.data).decode()
            url = f"data:{part.media_type};base64,{data}"
            content.append({"type": "input_image", "detail": "auto", "image_url": url})
            continue
        words = part.text if isinstance(part, Text) else text_of((part,))
        if words.strip():
            content.append(_text(words))
    return content


def _text(text: str) -> Item:
    return {"type": "input_text", "text": text}


def _arguments(arguments: str) -> str:
    """Return the arguments of an old call if they are a JSON object, else an empty one."""
    try:
        parsed = json.loads(arguments, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return "{}"
    return arguments if isinstance(parsed, dict) else "{}"


def _refuse(constant: str) -> None:
    """Refuse NaN and Infinity, which Python reads and JSON does not know."""
    raise ValueError(constant)


def _unique(call_id: str, taken: set[str]) -> str:
    """Return the id if it is valid and new, else one derived from it, the same every time."""
    made = call_id
    number = 0
    while not _CALL_ID.fullmatch(made) or made in taken:
        seed = f"{number}:{call_id}".encode("utf-8", "replace")
        made = f"call_{hashlib.sha256(seed).hexdigest()[:24]}"
        number += 1
    taken.add(made)
    return made


def _merge(made: dict[str, Any], extra: Mapping[str, Any]) -> None:
    """Merge a configured body, deeply; null removes a field, tools and include are added."""
    for name, value in extra.items():
        old = made.get(name)
        if value is None:
            made.pop(name, None)
        elif name in _APPENDED:
            more = value if isinstance(value, list) else []
            made[name] = [*(old or []), *(entry for entry in more if entry not in (old or []))]
        elif isinstance(value, Mapping) and isinstance(old, dict):
            _merge(old, value)
        else:
            made[name] = value
