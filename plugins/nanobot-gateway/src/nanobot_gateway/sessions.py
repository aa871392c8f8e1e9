"""The actors of all sessions that have something to do."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import aclosing

from nanobot.errors import NanobotError
from nanobot.events import TurnFinished
from nanobot.messages import Inbound

from nanobot_gateway.actor import Actor, Crew, Work


class Sessions:
    """Makes an actor when a session gets something to do, and lets it go when it is done.

    Args:
        crew: What all actors share.
        tasks: Returns how many subagents of a session may work at a time.
    """

    def __init__(self, crew: Crew, tasks: Callable[[], int]) -> None:
        self.crew = crew
        self._actors: dict[str, Actor] = {}
        self._tasks = tasks
        self._children: defaultdict[str, set[str]] = defaultdict(set)
        self._queued: defaultdict[str, deque[Work]] = defaultdict(deque)
        self.turns = 0
        self.suspended = False
        """Turns are cut off only to go on later."""

    def put(self, work: Work) -> str:
        """Hand a stored message to its session; returns whose turn it may join.

        Work for a subagent waits while as many as may work for its session do.
        """
        parent = work.inbound.parent
        if parent:
            if len(self._children[parent]) >= self._tasks():
                self._queued[parent].append(work)
                return ""
            self._children[parent].add(work.inbound.session_key)
        return self._start(work)

    def _start(self, work: Work) -> str:
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
        """Stop what runs in a session, its subagents too, and forget what waits.

        Returns:
            How many turns that was.
        """
        queued = [work.inbound.id for work in self._queued.pop(key, ())]
        if queued:
            await self.crew.store.finish(queued)
        stopped = [await self.stop(child) for child in sorted(self._children.get(key, ()))]
        actor = self._actors.get(key)
        return sum(stopped) + (await actor.stop() if actor else 0)

    def messages(self, key: str) -> list[str]:
        """Return the ids of a session's messages that are not done with."""
        actor = self._actors.get(key)
        return actor.messages if actor else []

    def spoke(self, key: str) -> None:
        """Note that the running turn of a session has spoken in its chat by itself."""
        if key in self._actors:
            self._actors[key].spoke = True

    @property
    def active(self) -> int:
        """Return how many sessions have something to do."""
        return len(self._actors)

    @property
    def waiting(self) -> int:
        """Return how many messages wait for the turn before them."""
        queued = sum(map(len, self._queued.values()))
        return queued + sum(actor.waiting for actor in self._actors.values())

    async def drained(self) -> None:
        """Wait until no session has anything to do."""
        while self._actors:
            await asyncio.gather(*(actor.drained() for actor in list(self._actors.values())))

    async def abandon(self) -> None:
        """End all turns at once; what is stored goes on when the gateway is back."""
        self.suspended = True
        self._queued.clear()
        await asyncio.gather(*(actor.abandon() for actor in list(self._actors.values())))
        self._actors.clear()

    def _forget(self, actor: Actor) -> None:
        if self._actors.get(actor.key) is actor:
            del self._actors[actor.key]
        for parent, children in list(self._children.items()):
            if actor.key in children:
                children.discard(actor.key)
                if not children:
                    del self._children[parent]
                if self._queued.get(parent):
                    self.put(self._queued[parent].popleft())
