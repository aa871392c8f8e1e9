"""The desk of a host without chats: work can be handed on, and sessions can be looked into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing

from nanobot._config import Config
from nanobot.command import HistoryEntry
from nanobot.context import Clock, SystemClock
from nanobot.desk import NoDesk, SessionInfo, Task
from nanobot.engine import Archive, Engine
from nanobot.errors import ToolError
from nanobot.events import TurnFinished
from nanobot.messages import Inbound, Origin, Scope, Text
from nanobot.profile import Profile

NOT_FOR_SUBAGENTS = ("!ask_user", "!cron", "!message", "!my", "!send_session_message", "!spawn")
"""A subagent talks to nobody but who sent it, and sends nobody itself."""


class HostDesk(NoDesk):
    """Serves the tools of one instance; a gateway adds its chats.

    Args:
        config: The instance's configuration.
        clock: The time.
    """

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        self.config = config
        self.clock = clock or SystemClock()
        self.engine: Engine

    async def delegate(self, task: Task, *, wait: bool) -> str:
        """Do it now, whether waited for or not: here nothing outlives the turn."""
        inbound = self.inbound(task)
        turn = self.engine.handle(inbound, profile=task.profile)
        async with aclosing(turn) as events:
            async for event in events:
                if isinstance(event, TurnFinished) and not event.content and event.error:
                    raise ToolError(f"The subagent failed: {event.error}", kind="subagent_failed")
                if isinstance(event, TurnFinished):
                    return event.content
        return ""

    def inbound(self, task: Task) -> Inbound:
        """Return a task as the message that begins its session."""
        scope = task.turn.scope
        return Inbound(
            id=task.id,
            session_key=f"subagent:{task.id}",
            principal=scope.principal,
            target=task.turn.target,
            parts=(Text(text=task.text),),
            received_at=self.clock.now(),
            origin=Origin.AGENT,
            parent=scope.session_key,
        )

    def profiles(self) -> Mapping[str, Profile]:
        agents = self.config.core.agents
        usual = agents.defaults.subagent_max_iterations
        made = {"": Profile(name="subagent", tools=NOT_FOR_SUBAGENTS, max_iterations=usual)}
        for name, kind in agents.subagent_profiles.items():
            made[name] = Profile(
                name=name,
                preset=kind.model or "",
                tools=(*kind.tools, *NOT_FOR_SUBAGENTS),
                instructions=kind.instructions,
                skills=kind.skills,
                max_iterations=kind.max_iterations or usual,
            )
        return made

    async def sessions(self, scope: Scope) -> Sequence[SessionInfo]:
        if isinstance(self.engine, Archive):
            return await self.engine.sessions(scope)
        return await super().sessions(scope)

    async def recall(self, scope: Scope, key: str) -> Sequence[HistoryEntry]:
        if isinstance(self.engine, Archive):
            return await self.engine.recall(scope, key)
        return await super().recall(scope, key)

    def facts(self, scope: Scope) -> Mapping[str, str]:
        return self.engine.facts(scope) if isinstance(self.engine, Archive) else {}
