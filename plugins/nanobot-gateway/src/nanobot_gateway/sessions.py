"""The actors of all sessions that have something to do."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from nanobot.errors import NanobotError
from nanobot.events import TurnFinished
from nanobot.messages import Inbound

from nanobot_gateway.actor import Actor, Crew, Work


class Sessions:
    """Makes an actor when a session gets something to do, and lets it go when it is done.

    Args:
        crew: What all actors share.
    """

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self._actors: dict[str, Actor] = {}
        self.turns = 0

    def put(self, work: Work) -> str:
        """Hand a stored message to its session; returns whose turn it may join."""
        key = work.inbound.session_key
        actor = self._actors.get(key)
        if actor is None:
            actor = self._actors[key] = Actor(key, self.crew, self._forget)
        self.turns += 1
        return actor.put(work)

    async def ask(self, inbound: Inbound) -> str:
        """Return the engine's answer to a command that does not wait for the running turn."""
        try:
            async with aclosing(self.crew.engine.handle(inbound)) as events:
                async for event in events:
                    if isinstance(event, TurnFinished):
                        return event.content or event.error
        except NanobotError as error:
            return str(error)
        return ""

    def busy(self, key: str) -> bool:
        """Tell whether a turn runs in a session."""
        actor = self._actors.get(key)
        return actor is not None and actor.busy

    async def stop(self, key: str) -> int:
        """Stop what runs in a session, and forget what waits; return how many turns that was."""
        actor = self._actors.get(key)
        return await actor.stop() if actor else 0

    @property
    def active(self) -> int:
        """Return how many sessions have something to do."""
        return len(self._actors)

    @property
    def waiting(self) -> int:
        """Return how many messages wait for the turn before them."""
        return sum(actor.waiting for actor in self._actors.values())

    async def drained(self) -> None:
        """Wait until no session has anything to do."""
        while self._actors:
            await asyncio.gather(*(actor.drained() for actor in list(self._actors.values())))

    async def abandon(self) -> None:
        """End all turns at once; what is stored goes on when the gateway is back."""
        await asyncio.gather(*(actor.abandon() for actor in list(self._actors.values())))
        self._actors.clear()

    def _forget(self, actor: Actor) -> None:
        if self._actors.get(actor.key) is actor:
            del self._actors[actor.key]
