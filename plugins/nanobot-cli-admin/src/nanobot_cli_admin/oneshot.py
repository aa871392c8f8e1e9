"""Answers one message: the answer on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from contextlib import aclosing
from dataclasses import asdict

from nanobot.events import Notice, StreamEnd, TextDelta, ToolStarted, TurnFinished
from nanobot.sdk import Nanobot


async def answer(bot: Nanobot, session: str, text: str, *, as_json: bool) -> int:
    """Answer a message; return the exit status: 0 only when the model or a command answered.

    A person at a terminal sees the text as it comes. Anything else that reads stdout gets the final
    answer alone, without what the model said between its tool calls.
    """
    live = sys.stdout.isatty() and not as_json
    async with bot:
        for notice in bot.notices:
            _tell(notice)
        finished: TurnFinished | None = None
        async with aclosing(bot.events(text, session_key=session)) as events:
            async for event in events:
                if isinstance(event, TurnFinished):
                    finished = event
                elif isinstance(event, TextDelta) and live:
                    _print(event.text, end="")
                elif isinstance(event, StreamEnd) and live:
                    _print("")
                elif isinstance(event, Notice):
                    _tell(event.text)
                elif isinstance(event, ToolStarted):
                    _tell(f"→ {event.call.name}")
    assert finished is not None
    if as_json:
        _print(json.dumps(_as_json(finished, session), ensure_ascii=False))
    elif finished.content and not live:
        _print(finished.content)
    elif live:
        _print("")
    if finished.error:
        _tell(f"Error: {finished.error}")
    return 1 if finished.error or not finished.content else 0


def _as_json(finished: TurnFinished, session: str) -> dict[str, object]:
    return {
        "content": finished.content,
        "session": session,
        "model": finished.model,
        "stop_reason": str(finished.stop_reason),
        "tools_used": list(finished.tools_used),
        "usage": asdict(finished.usage),
        "error": finished.error,
    }


def _print(text: str, end: str = "\n") -> None:
    sys.stdout.buffer.write((text + end).encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


def _tell(text: str) -> None:
    sys.stderr.buffer.write(text.encode("utf-8", "replace") + b"\n")
    sys.stderr.buffer.flush()
