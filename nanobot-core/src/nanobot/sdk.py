"""The Python SDK: nanobot inside your own program.

::

    async with Nanobot.from_config() as bot:
        result = await bot.run("What is in this folder?")
        print(result.content)
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nanobot._boot.boot import Opened, open_instance
from nanobot._config import Config, load
from nanobot.agent.hooks import AgentHook
from nanobot.context import SystemClock
from nanobot.events import StreamEnd, TextDelta, TurnEvent, TurnFinished
from nanobot.messages import Inbound, Origin, Part, Principal, Role, Target, Text
from nanobot.paths import Instance, default_config_path
from nanobot.run_events import TEXT_COMPLETED, RunResult, StreamEvent, result_of, stream_event
from nanobot.specs import CommandSpec


class Nanobot:
    """An instance of nanobot; make one with `from_config`, use it as ``async with``."""

    def __init__(
        self,
        config: Config,
        *,
        workspace: Path | None = None,
        model: str = "",
        preset: str = "",
    ) -> None:
        self._config = config
        self._workspace = workspace
        self._model = model
        self._preset = preset
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._opened: Opened | None = None

    @classmethod
    def from_config(
        cls,
        config_path: str | Path | None = None,
        *,
        workspace: str | Path | None = None,
        model: str | None = None,
        model_preset: str | None = None,
    ) -> Nanobot:
        """Read a configuration.

        Args:
            config_path: The file; by default ``~/.nanobot/config.json``, which need not exist.
            workspace: The agent's folder in place of the configured one.
            model: A model in place of the configured one; its provider is found automatically.
            model_preset: A preset in place of the configured model.

        Raises:
            FileNotFoundError: The named file does not exist.
            ConfigError: It can not be used; the error lists every reason.
        """
        if model and model_preset:
            raise ValueError("give a model or a model preset, not both")
        if config_path is not None and not Path(config_path).expanduser().exists():
            raise FileNotFoundError(f"configuration file not found: {config_path}")
        path = Path(config_path).expanduser() if config_path else default_config_path()
        return cls(
            load(path),
            workspace=Path(workspace).expanduser() if workspace else None,
            model=model or "",
            preset=model_preset or "",
        )

    # --- life -----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close what was opened; the object can be used again afterwards."""
        self._opened = None
        await self._stack.aclose()

    async def _open(self) -> Opened:
        async with self._opening:
            if self._opened is None:
                self._opened = await self._stack.enter_async_context(
                    open_instance(
                        self._config,
                        workspace=self._workspace,
                        model=self._model,
                        preset=self._preset,
                    )
                )
            return self._opened

    # --- facts ----------------------------------------------------------------------------------

    @property
    def instance(self) -> Instance:
        """Return where the instance keeps its things."""
        return self._config.instance(self._workspace)

    @property
    def name(self) -> str:
        """Return what the user calls the agent."""
        return self._config.core.agents.defaults.bot_name

    @property
    def icon(self) -> str:
        """Return the agent's icon, may be empty."""
        return self._config.core.agents.defaults.bot_icon

    @property
    def notices(self) -> tuple[str, ...]:
        """Return what the user should know first, a line each; known once the instance is open."""
        return self._opened.notices if self._opened else ()

    def commands(self) -> Sequence[CommandSpec]:
        """Return the slash commands; known once the instance is open."""
        if self._opened is None:
            return ()
        found = (plugin.spec for plugin in self._opened.parts.registry.usable("commands"))
        return [spec for spec in found if isinstance(spec, CommandSpec)]

    # --- running --------------------------------------------------------------------------------

    async def events(
        self,
        message: str | Sequence[Part],
        *,
        session_key: str = "sdk:default",
        channel: str = "cli",
        chat_id: str = "direct",
        sender_id: str = "user",
        hooks: Sequence[AgentHook] | None = None,
        model_preset: str | None = None,
    ) -> AsyncGenerator[TurnEvent, None]:
        """Answer a message and yield everything that happens, ending with `TurnFinished`.

        Slash commands work here too. Leaving early stops the turn; what was said is kept.

        Raises:
            NanobotError: The message could not be accepted; nothing of it was stored.
        """
        opened = await self._open()
        parts = (Text(text=message),) if isinstance(message, str) else tuple(message)
        inbound = Inbound(
            id=uuid.uuid4().hex,
            session_key=session_key,
            principal=Principal(channel=channel, user=sender_id, role=Role.OWNER),
            target=Target(channel=channel, chat=chat_id),
            parts=parts,
            received_at=SystemClock().now(),
            origin=Origin.USER,
        )
        turn = opened.engine.handle(inbound, hooks=hooks or (), preset=model_preset)
        async with aclosing(turn) as stream:
            async for event in stream:
                yield event

    async def run(self, message: str | Sequence[Part], **options: Any) -> RunResult:
        """Answer a message; takes the same options as `events`.

        A turn that fails gives a result with ``error`` set, not an exception.
        """
        async with aclosing(self.events(message, **options)) as events:
            async for event in events:
                if isinstance(event, TurnFinished):
                    return result_of(event)
        raise RuntimeError("the turn ended without a result")

    async def stream(
        self, message: str | Sequence[Part], **options: Any
    ) -> AsyncGenerator[StreamEvent, None]:
        """Answer a message and yield `StreamEvent`; takes the same options as `events`."""
        text: list[str] = []
        async with aclosing(self.events(message, **options)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    text.append(event.text)
                if isinstance(event, StreamEnd):
                    yield StreamEvent(
                        type=TEXT_COMPLETED, content="".join(text), resuming=event.resuming
                    )
                    text.clear()
                made = stream_event(event)
                if made:
                    yield made
