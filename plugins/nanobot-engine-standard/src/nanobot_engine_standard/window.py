"""Cuts a conversation to what fits the model's window.

Older turns are left out whole, and several at a time, so that the prompt's beginning stays the same
for many turns and the vendor's cache keeps hitting. The turn that runs is always kept; if it alone
is too long, its oldest tool results are shortened. Nothing is changed in the transcript.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nanobot.messages import (
    AssistantMessage,
    Message,
    Part,
    Text,
    ToolResult,
    ToolUse,
    UserMessage,
    text_of,
)

from nanobot_engine_standard import tokens
from nanobot_engine_standard.history import TurnRecord

_KEEP_SHARE = 0.7
_SHORT_CHARS = 400


def first_turn(sizes: Sequence[int], budget: int) -> int:
    """Return the index of the first turn to send.

    Each time the turns outgrow the budget, the start moves until they fill a good part of it. The
    start follows from the sizes alone, so it is the same in every process.
    """
    start = total = 0
    for index, size in enumerate(sizes):
        total += size
        if total > budget:
            while total > budget * _KEEP_SHARE and start < index:
                total -= sizes[start]
                start += 1
    return start


def fit(turns: Sequence[TurnRecord], budget: int) -> tuple[Message, ...]:
    """Return the messages of the last turns that fit a budget of tokens."""
    sizes = [turn.tokens() for turn in turns]
    start = first_turn(sizes, budget)
    messages = [message for turn in turns[start:] for message in turn.messages()]
    if sum(sizes[start:]) > budget:
        messages = _shorten(messages, budget)
    return tuple(messages)


def _shorten(messages: list[Message], budget: int) -> list[Message]:
    """Shorten tool results, oldest first, then texts, until the messages fit."""
    excess = sum(map(tokens.of_message, messages)) - budget
    for index, message in enumerate(messages):
        if excess <= 0:
            break
        if isinstance(message, AssistantMessage) and message.tool_uses:
            shorter = replace(message, tool_uses=tuple(map(_short_use, message.tool_uses)))
            excess -= tokens.of_message(message) - tokens.of_message(shorter)
            messages[index] = shorter
    for index, message in enumerate(messages):
        if excess <= 0:
            break
        cut = _cut_text(message, excess)
        excess -= tokens.of_message(message) - tokens.of_message(cut)
        messages[index] = cut
    return messages


def _short_use(use: ToolUse) -> ToolUse:
    text = use.result.text
    if len(text) <= _SHORT_CHARS:
        return use
    parts = (
        Text(
            text=f"{text[:_SHORT_CHARS]}\n[Shortened to save room: {len(text)} characters in all. "
            "Call the tool again for a part of it if you need more.]",
            trust=next((p.trust for p in use.result.parts), Text(text="").trust),
        ),
    )
    return ToolUse(call=use.call, result=_with_parts(use.result, parts))


def _with_parts(result: ToolResult, parts: tuple[Part, ...]) -> ToolResult:
    return replace(result, parts=parts)


def _cut_text(message: Message, excess: int) -> Message:
    """Cut a message's text in the middle by about the given number of tokens."""
    text = text_of(message.parts) if isinstance(message, UserMessage) else message.text
    keep = max((len(text) - excess * 4) // 2, _SHORT_CHARS)
    if len(text) <= 2 * keep:
        return message
    cut = f"{text[:keep]}\n[… {len(text) - 2 * keep} characters left out …]\n{text[-keep:]}"
    if isinstance(message, UserMessage):
        return replace(message, parts=(Text(text=cut),))
    return replace(message, text=cut)
