"""The Python SDK: nanobot inside your own program.

::

    async with Nanobot.from_config() as bot:
        result = await bot.run("What is in this folder?")
        print(result.content)
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nanobot._boot.boot import Opened, open_instance
from nanobot._config import Config, load
from nanobot.agent.hooks import AgentHook
from nanobot.context import SystemClock
from nanobot.events import (
    ReasoningDelta,
    StreamEnd,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnEvent,
    TurnFinished,
    TurnStarted,
)
from nanobot.messages import Inbound, Origin, Part, Principal, Role, StopReason, Target, Text, Usage
from nanobot.paths import Instance, default_config_path
from nanobot.specs import CommandSpec

RUN_STARTED = "run.started"
TEXT_DELTA = "text.delta"
TEXT_COMPLETED = "text.completed"
REASONING_DELTA = "reasoning.delta"
TOOL_STARTED = "tool.started"
TOOL_COMPLETED = "tool.completed"
TOOL_FAILED = "tool.failed"
RUN_COMPLETED = "run.completed"
RUN_FAILED = "run.failed"
_FAILED = (StopReason.ERROR, StopReason.CANCELLED, StopReason.INTERRUPTED)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunResult:
    """What a run came to.

    Args:
        content: The final answer.
        tools_used: Names of the tools that ran.
        stop_reason: ``completed``, or why it stopped before that.
        error: What went wrong, empty when nothing did.
    """

    content: str
    tools_used: tuple[str, ...] = ()
    usage: Usage = Usage()
    stop_reason: str = ""
    error: str = ""
    model: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamEvent:
    """Something that happened during a run; type is one of this module's constants."""

    type: str
    delta: str = ""
    name: str = ""
    tool_call_id: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    content: str = ""
    resuming: bool = False
    error: str = ""
    result: RunResult | None = None


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
        found = (plugin.spec for plugin in self._opened.registry.usable("commands"))
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
                    return _result(event)
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
                made = _stream_event(event)
                if made:
                    yield made


def _result(event: TurnFinished) -> RunResult:
    return RunResult(
        content=event.content,
        tools_used=event.tools_used,
        usage=event.usage,
        stop_reason=str(event.stop_reason),
        error=event.error,
        model=event.model,
    )


def _stream_event(event: TurnEvent) -> StreamEvent | None:
    if isinstance(event, TurnStarted):
        return StreamEvent(type=RUN_STARTED)
    if isinstance(event, TextDelta):
        return StreamEvent(type=TEXT_DELTA, delta=event.text)
    if isinstance(event, ReasoningDelta):
        return StreamEvent(type=REASONING_DELTA, delta=event.text)
    if isinstance(event, ToolStarted):
        return StreamEvent(
            type=TOOL_STARTED,
            name=event.call.name,
            tool_call_id=event.call.id,
            arguments=event.arguments,
        )
    if isinstance(event, ToolFinished):
        failed = event.result.is_error
        return StreamEvent(
            type=TOOL_FAILED if failed else TOOL_COMPLETED,
            name=event.call.name,
            tool_call_id=event.call.id,
            content=event.result.text,
            error=event.result.kind,
        )
    if isinstance(event, TurnFinished):
        failed = event.stop_reason in _FAILED
        return StreamEvent(
            type=RUN_FAILED if failed else RUN_COMPLETED,
            content=event.content,
            error=event.error,
            result=_result(event),
        )
    return None
