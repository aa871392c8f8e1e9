"""Cuts a conversation to what fits the model's window.

Older turns are left out whole, and several at a time, so that the prompt's beginning stays the same
for many turns and the vendor's cache keeps hitting. The turn that runs is always kept; if it alone
is too long, its oldest tool results are shortened. Nothing is changed in the transcript.
"""

from __future__ import annotations

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

from nanobot_engine_standard import codec, tokens
from nanobot_engine_standard.history import History

_SHORT_CHARS = 400


def fit(history: History, budget: int) -> tuple[list[Message], list[int]]:
    """Return the last messages of a session that fit a budget of tokens.

    What comes second says which of them have pictures that are to be fetched.
    """
    running, size = history.open.messages() if history.open else ([], 0)
    messages, pictured = history.past.cut(size, budget)
    past = len(messages)
    pictured += [past + n for n, message in enumerate(running) if codec.has_stored(message)]
    messages += running
    if not past and size > budget:
        messages = _shorten(messages, budget)
    return messages, pictured


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
