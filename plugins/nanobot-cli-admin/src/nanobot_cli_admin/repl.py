"""The plain conversation, for terminals without nanobot-cli-chat."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing

from nanobot.errors import NanobotError
from nanobot.events import Notice, TextDelta, ToolStarted, TurnFinished
from nanobot.sdk import Nanobot

EXITS = frozenset({"exit", "quit", "/exit", "/quit", ":q"})


async def chat(bot: Nanobot, session: str) -> int:
    """Read lines and answer them until an exit word or the end of input."""
    async with bot:
        for notice in bot.notices:
            _write(f"{notice}\n")
        _write("Type a message; /help lists commands, exit leaves.\n")
        if sys.stdin.isatty():
            _write("pip install nanobot-cli-chat   gives history, editing and colours.\n")
        while True:
            line = await _read("> ")
            if line is None or line.strip().lower() in EXITS:
                return 0
            if line.strip():
                await _answer(bot, line, session)


async def _answer(bot: Nanobot, text: str, session: str) -> None:
    try:
        async with aclosing(bot.events(text, session_key=session)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    _write(event.text)
                elif isinstance(event, Notice):
                    _write(f"[{event.text}]\n")
                elif isinstance(event, ToolStarted):
                    _write(f"\n[{event.call.name}]\n")
                elif isinstance(event, TurnFinished):
                    _write(f"\nError: {event.error}\n" if event.error else "\n")
    except NanobotError as error:
        _write(f"Error: {error}\n")


async def _read(prompt: str) -> str | None:
    """Read a line in a thread, so that the agent goes on meanwhile; None at the end of input."""
    _write(prompt)
    line = await asyncio.to_thread(sys.stdin.readline)
    return line.rstrip("\n") if line else None


def _write(text: str) -> None:
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()
