"""Hooks into a run of the SDK: `bot.run(text, hooks=[MyHook()])`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nanobot.messages import Message, ToolResult, Usage


@dataclass(slots=True)
class HookToolCall:
    """A tool call that is about to run.

    Args:
        arguments: The arguments as the model gave them, parsed where they are valid JSON.
    """

    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(slots=True)
class AgentHookContext:
    """What a hook sees of the run; filled in as the run goes on.

    Attributes:
        iteration: Number of the model call in this run, from 0.
        messages: What is sent to the model in this iteration.
        tool_calls: The calls that the model asked for in this iteration.
        tool_results: Their results, in the same order, after the tools have run.
    """

    session_key: str = ""
    iteration: int = 0
    messages: tuple[Message, ...] = ()
    usage: Usage = Usage()
    tool_calls: list[HookToolCall] = field(default_factory=list)
    tool_results: list[ToolResult] = field(default_factory=list)
    streamed_content: bool = False
    final_content: str | None = None
    stop_reason: str = ""
    error: str = ""


class AgentHook:
    """Base of SDK hooks; override what you need.

    Args:
        reraise: True to let an exception of this hook end the run; otherwise it is logged.
    """

    def __init__(self, *, reraise: bool = False) -> None:
        self.reraise = reraise

    def wants_streaming(self) -> bool:
        """Tell whether `on_stream` should be called."""
        return False

    async def before_iteration(self, context: AgentHookContext) -> None:
        """Run before each model call."""

    async def on_stream(self, context: AgentHookContext, delta: str) -> None:
        """Take a piece of the answer."""

    async def on_stream_end(self, context: AgentHookContext, *, resuming: bool) -> None:
        """Run when a stretch of text is over; more follows if resuming."""

    async def before_execute_tools(self, context: AgentHookContext) -> None:
        """Run before the tools of an iteration; see ``context.tool_calls``."""

    async def after_iteration(self, context: AgentHookContext) -> None:
        """Run after each iteration, its tools included."""

    def finalize_content(self, context: AgentHookContext, content: str | None) -> str | None:
        """Return the final answer, changed if you like."""
        return content
