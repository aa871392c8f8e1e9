"""Turns a request of nanobot into the body of a Converse request.

Source: Amazon Bedrock API reference, "ConverseStream". Messages are those of the Messages API,
which Anthropic's plugin makes, in other words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from nanobot.provider import ModelRequest
from nanobot_provider_anthropic.convert import conversation
from nanobot_provider_anthropic.thinking import abilities, plan

Block = dict[str, Any]

TOP = frozenset(
    {
        *("additionalModelResponseFieldPaths", "guardrailConfig", "inferenceConfig"),
        *("performanceConfig", "promptVariables", "requestMetadata", "serviceTier"),
    }
)
"""Members of ``extraBody`` that Converse knows itself; the others go to the model."""

_POINT: Block = {"cachePoint": {"type": "default"}}
_NO_CACHE = re.compile(r"claude-(?:v\d|instant|3-(?:opus|sonnet|haiku|5-sonnet))")
_NOOP: Block = {
    "toolSpec": {
        "name": "noop",
        "description": "Does nothing; do not call it.",
        "inputSchema": {"json": {"type": "object", "properties": {}}},
    }
}
_EFFORTS = ("low", "medium", "high")


def body(request: ModelRequest, *, caching: bool, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON body for a request.

    Args:
        request: What to ask.
        caching: Mark cache points where the model knows them.
        extra: The configured ``extraBody``; merged deeply.
    """
    messages = [
        {"role": message["role"], "content": [_block(block) for block in message["content"]]}
        for message in conversation(request.messages, request.model)
    ]
    limits, fields = _thinking(request, messages)
    made: dict[str, Any] = {"messages": messages, "inferenceConfig": limits}
    if system := [{"text": part.text} for part in request.system if part.text.strip()]:
        made["system"] = system
    if tools := _tools(request, messages):
        made["toolConfig"] = {"tools": tools}
    if caching:
        _mark(made, request.model.lower())
    _merge(made, {name: value for name, value in extra.items() if name in TOP})
    _merge(fields, {name: value for name, value in extra.items() if name not in TOP})
    if fields:
        made["additionalModelRequestFields"] = fields
    return made


def encode(made: Mapping[str, Any]) -> bytes:
    """Return a body as JSON; a lone half of a surrogate pair becomes a question mark."""
    text = json.dumps(made, ensure_ascii=False, separators=(",", ":"), default=dict)
    return text.encode("utf-8", "replace")


def _block(block: Block) -> Block:
    """Say a block of the Messages API in the words of Converse."""
    match block["type"]:
        case "image":
            source = block["source"]
            form = source["media_type"].removeprefix("image/")
            return {"image": {"format": form, "source": {"bytes": source["data"]}}}
        case "tool_use":
            call = {"toolUseId": block["id"], "name": block["name"], "input": block["input"]}
            return {"toolUse": call}
        case "tool_result":
            content = [_block(part) for part in block.get("content", ())]
            result: Block = {
                "toolUseId": block["tool_use_id"],
                "content": content or [{"text": "(no output)"}],
            }
            if block.get("is_error"):
                result["status"] = "error"
            return {"toolResult": result}
        case "thinking":
            text = {"text": block["thinking"], "signature": block["signature"]}
            return {"reasoningContent": {"reasoningText": text}}
        case "redacted_thinking":
            return {"reasoningContent": {"redactedContent": block["data"]}}
    return {"text": block["text"]}


def _thinking(request: ModelRequest, messages: Sequence[Block]) -> tuple[Block, Block]:
    """Return the limits of the answer, and the model's own fields for the wanted effort."""
    model, effort = request.model.lower(), request.reasoning_effort
    limits: Block = {"maxTokens": max(request.max_tokens, 1)}
    fields: Block = {}
    thinks = False
    if "claude" in model:
        if not abilities(model).adaptive and _open_step_without_thinking(messages):
            effort = "none"  # within a budget, an open tool step must start with its thinking
        planned = plan(model, effort, request.max_tokens)
        limits["maxTokens"] = planned.max_tokens
        fields = {name: dict(value) for name, value in planned.fields.items()}
        thinks = planned.thinks or not abilities(model).sampling
    elif effort not in (None, "none", "adaptive"):
        word = effort if effort in _EFFORTS else ("low" if effort == "minimal" else "high")
        if "gpt-oss" in model:
            fields = {"reasoning_effort": word}
        elif "nova-2" in model:
            fields = {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": word}}
            thinks = word == "high"  # it sets the limits itself then, and refuses others
            if thinks:
                limits = {}
    if request.temperature is not None and not thinks:
        limits["temperature"] = min(max(request.temperature, 0.0), 1.0)
    return limits, fields


def _open_step_without_thinking(messages: Sequence[Block]) -> bool:
    if not any("toolResult" in block for block in messages[-1]["content"]):
        return False
    return not any("reasoningContent" in block for block in messages[-2]["content"])


def _tools(request: ModelRequest, messages: Sequence[Block]) -> list[Block]:
    """Return the tools; Converse demands one where the history has calls."""
    if request.tools and request.tool_choice != "none":
        return [
            {
                "toolSpec": {
                    "name": tool.name,
                    "description": tool.description or tool.name,
                    "inputSchema": {"json": dict(tool.parameters)},
                }
            }
            for tool in request.tools
        ]
    called = any("toolUse" in block for message in messages for block in message["content"])
    return [_NOOP] if called else []


def _mark(made: dict[str, Any], model: str) -> None:
    """Put cache points behind what stays the same: at most four, as the models accept them."""
    claude = "claude" in model and not _NO_CACHE.search(model)
    if not claude and "amazon.nova" not in model:
        return
    if "system" in made:
        made["system"].append(_POINT)
    if claude and "toolConfig" in made:
        made["toolConfig"]["tools"].append(_POINT)
    users = [message for message in made["messages"] if message["role"] == "user"]
    for message in users[-2:]:
        message["content"].append(_POINT)


def _merge(made: dict[str, Any], extra: Mapping[str, Any]) -> None:
    """Merge a configured body, deeply; null removes a field."""
    for name, value in extra.items():
        old = made.get(name)
        if value is None:
            made.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(old, dict):
            _merge(old, value)
        else:
            made[name] = value
