"""The provider: streams what the phrases give, with estimated tokens."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from nanobot.context import PluginContext
from nanobot.messages import (
    AssistantMessage,
    BilledTokens,
    ContextTokens,
    FinishReason,
    ToolCall,
    Usage,
    text_of,
)
from nanobot.provider import ModelEvent, ModelFinish, ModelInfo, ModelRequest, ModelText

from nanobot_provider_offline.config import OfflineConfig
from nanobot_provider_offline.phrases import next_step
from nanobot_provider_offline.situation import Use, situation_of

MODEL = "offline"


class OfflineProvider:
    """Answers a few phrases; keeps nothing between calls."""

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Answer word by word."""
        step = next_step(situation_of(request))
        for word in re.findall(r"\s*\S+\s*", step.text):
            yield ModelText(text=word)
        calls: tuple[ToolCall, ...] = ()
        if isinstance(step, Use):
            arguments = json.dumps(step.arguments, ensure_ascii=False)
            calls = (ToolCall(id=_new_id(request), name=step.tool, arguments=arguments),)
        yield ModelFinish(
            reason=FinishReason.TOOL_CALLS if calls else FinishReason.STOP,
            usage=_usage(request, step.text + "".join(call.arguments for call in calls)),
            tool_calls=calls,
            model=MODEL,
        )

    async def list_models(self) -> Sequence[ModelInfo]:
        """Return the one model."""
        return (ModelInfo(id=MODEL),)


def _new_id(request: ModelRequest) -> str:
    """Number the calls of a conversation, so that each has an id of its own."""
    made = sum(len(m.tool_uses) for m in request.messages if isinstance(m, AssistantMessage))
    return f"offline-{made + 1}"


def _usage(request: ModelRequest, answer: str) -> Usage:
    prompt = sum(len(segment.text) for segment in request.system)
    prompt += sum(len(tool.description) + len(str(tool.parameters)) for tool in request.tools)
    for message in request.messages:
        if isinstance(message, AssistantMessage):
            prompt += len(message.text)
            prompt += sum(len(u.call.arguments) + len(u.result.text) for u in message.tool_uses)
        else:
            prompt += len(text_of(message.parts)) + len(message.context)
    billed = BilledTokens(input=_tokens(prompt), output=_tokens(len(answer)))
    context = ContextTokens(billed.input + billed.output)
    return Usage(billed=billed, context=context, calls=1, estimated=True)


def _tokens(characters: int) -> int:
    """Estimate tokens: about four characters make one."""
    return -(-characters // 4)


@asynccontextmanager
async def open_provider(
    config: OfflineConfig, context: PluginContext
) -> AsyncIterator[OfflineProvider]:
    """Open the provider; there is nothing to close."""
    yield OfflineProvider()
