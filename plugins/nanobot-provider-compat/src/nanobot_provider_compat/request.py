"""A model request as the body that is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nanobot.provider import ModelRequest

from nanobot_provider_compat.conversation import Conversations, encode
from nanobot_provider_compat.models import matches, rules_for
from nanobot_provider_compat.schemas import plain
from nanobot_provider_compat.vendor import Vendor

PROTECTED = frozenset({"messages", "model", "stream"})
"""Fields that the configuration's ``extraBody`` can not set; its ``tools`` are added."""

_OFF = frozenset({"none", "minimal"})
_EFFORTS = {"none": "", "adaptive": ""}  # no words of this dialect
_PICTURE = re.compile(rb'"data:[^"]{0,100};base64,[^"]*"')
_PICTURE_TOKENS = 1000


def write_body(
    request: ModelRequest,
    vendor: Vendor,
    provider: str,
    extra: Mapping[str, Any],
    written: Conversations,
) -> bytes:
    """Return the body of a streamed chat completion request.

    Args:
        provider: Name of the provider plugin.
        extra: The configuration's ``extraBody``.
        written: What earlier requests of the same provider wrote.
    """
    fields = encode(_fields(request, vendor, extra))
    messages = written.write(request, vendor, provider)
    return b"".join((fields[:-1], b',"messages":[', *messages, b"]}"))


def _fields(request: ModelRequest, vendor: Vendor, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body without its messages."""
    model = vendor.model_id(request.model)
    rules = rules_for(model)
    body: dict[str, Any] = {"model": model, "stream": True}
    if vendor.stream_usage:
        body["stream_options"] = {"include_usage": True}
    limit = vendor.token_field
    if any(rule.completion_tokens for rule in rules):
        limit = "max_completion_tokens"
    body[limit] = max(1, request.max_tokens)
    if (
        request.temperature is not None
        and request.reasoning_effort in (None, "none")
        and all(rule.temperature for rule in rules)
    ):
        body["temperature"] = request.temperature
    if request.reasoning_effort:
        _merge(body, _thinking(request.reasoning_effort, vendor, model))
    tools = _tools(request, extra, plain_schemas=any(rule.plain_schemas for rule in rules))
    if tools:
        body["tools"] = tools
        if request.tool_choice == "none":
            body["tool_choice"] = "none"
    if vendor.cache_key_field and request.cache_key:
        body[vendor.cache_key_field] = request.cache_key
    patches = [vendor.body, vendor.tools_body if tools else {}]
    patches += [patch for pattern, patch in vendor.models.items() if matches(pattern, model)]
    patches += [{k: v for k, v in extra.items() if k not in PROTECTED and k != "tools"}]
    for patch in patches:
        _merge(body, patch)
    body.pop("messages", None)  # a conversation can not be patched
    return body


def estimate_tokens(content: bytes) -> int:
    """Guess how many tokens a request has, at four bytes a token and a flat price a picture."""
    text, pictures = _PICTURE.subn(b"", content)
    return len(text) // 4 + pictures * _PICTURE_TOKENS + 1


def _tools(
    request: ModelRequest, extra: Mapping[str, Any], *, plain_schemas: bool
) -> list[dict[str, Any]]:
    tools: list[dict[str, Any]] = [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": plain(tool.parameters) if plain_schemas else tool.parameters,
            },
        }
        for tool in request.tools
    ]
    more = extra.get("tools")
    return tools + more if isinstance(more, list) else tools


def _thinking(effort: str, vendor: Vendor, model: str) -> dict[str, Any]:
    """Return the fields that switch thinking and set its effort."""
    rules = rules_for(model)
    styles = {vendor.thinking, *(rule.thinking for rule in rules)}
    on = effort not in _OFF
    allowed = on or not any(rule.always_thinks for rule in rules)
    fields: dict[str, Any] = {}
    if "thinking_type" in styles and allowed:
        fields["thinking"] = {"type": "enabled" if on else "disabled"}
    if "thinking_adaptive" in styles and allowed:
        fields["thinking"] = {"type": "adaptive" if on else "disabled"}
    if "enable_thinking" in styles and allowed:
        fields["enable_thinking"] = on
    if "chat_template" in styles and allowed:
        fields["chat_template_kwargs"] = {"enable_thinking": on}
    if "reasoning_split" in styles and allowed:
        fields["reasoning_split"] = on
    word = _word(effort, vendor, model)
    if "openrouter" in styles:
        fields["reasoning"] = {"effort": word} if word else {"enabled": on}
    elif word and all(rule.efforts is None or word in rule.efforts for rule in rules):
        fields["reasoning_effort"] = word
    return fields


def _word(effort: str, vendor: Vendor, model: str) -> str:
    """Return what an effort is called; empty when nothing may be sent."""
    own = (words for pattern, words in vendor.model_efforts.items() if matches(pattern, model))
    for words in (*own, vendor.effort_map, _EFFORTS):
        if effort in words:
            return words[effort]
    return effort


def _merge(body: dict[str, Any], patch: Mapping[str, Any]) -> None:
    """Merge a patch into a body, deeply; null removes a field (RFC 7396)."""
    for key, value in patch.items():
        if value is None:
            body.pop(key, None)
        elif isinstance(value, Mapping):
            old = body.get(key)
            body[key] = dict(old) if isinstance(old, Mapping) else {}
            _merge(body[key], value)
        else:
            body[key] = value
