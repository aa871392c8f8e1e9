"""Small work beside the messages: reactions, and answers to presses of buttons."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine
from typing import Any

from nanobot.log import Logger, redact
from telegram import Bot
from telegram.error import TelegramError

DEADLINE_S = 20.0
REMEMBERED = 1000


class Background:
    """Runs calls whose failure matters to nobody; all end with `close`."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, call: Coroutine[Any, Any, object]) -> asyncio.Task[None]:
        """Run a call; a failure is logged."""
        task = asyncio.get_running_loop().create_task(self._run(name, call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run(self, name: str, call: Coroutine[Any, Any, object]) -> None:
        try:
            async with asyncio.timeout(DEADLINE_S):
                await call
        except (TelegramError, TimeoutError) as error:
            self._log.info(name, reason=redact(str(error)))

    async def close(self) -> None:
        """Cancel what still runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Reactions:
    """Shows on a message that it is being worked on.

    Args:
        emoji: What to show, empty for nothing.
    """

    def __init__(self, bot: Bot, emoji: str, background: Background) -> None:
        self._bot = bot
        self._emoji = emoji
        self._background = background
        self._shown: OrderedDict[tuple[str, str], list[tuple[int, asyncio.Task[None]]]]
        self._shown = OrderedDict()

    def show(self, chat: str, message: int, turn: str) -> None:
        """React to a message of a turn."""
        if not self._emoji:
            return
        call = self._bot.set_message_reaction(int(chat), message, reaction=self._emoji)
        task = self._background.start("no_reaction", call)
        self._shown.setdefault((chat, turn), []).append((message, task))
        while len(self._shown) > REMEMBERED:
            self._shown.popitem(last=False)

    def clear(self, chat: str, turn: str) -> None:
        """Take the reactions of a turn away: it is answered."""
        for message, shown in self._shown.pop((chat, turn), ()):
            self._background.start("reaction_stays", self._take_away(int(chat), message, shown))

    async def _take_away(self, chat: int, message: int, shown: asyncio.Task[None]) -> None:
        await asyncio.wait([shown])
        await self._bot.set_message_reaction(chat, message, reaction=None)
