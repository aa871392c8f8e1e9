"""Calls the SDK hooks of a run, in order; one that fails is logged and the run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nanobot import log
from nanobot.agent.hooks import AgentHook, AgentHookContext, HookToolCall
from nanobot.messages import Message, ToolCall, ToolResult
from nanobot_documents import strict_json


class Hooks:
    """The hooks of one run and what they see."""

    def __init__(self, hooks: Sequence[AgentHook], session_key: str) -> None:
        self._hooks = hooks
        self.streaming = [hook for hook in hooks if _wants_streaming(hook)]
        self.context = AgentHookContext(session_key=session_key)

    async def _each(
        self, hooks: Sequence[AgentHook], method: str, *args: Any, **named: Any
    ) -> None:
        for hook in hooks:
            try:
                await getattr(hook, method)(self.context, *args, **named)
            except Exception:
                _failed(hook)

    async def before_iteration(self, iteration: int, messages: tuple[Message, ...]) -> None:
        """Tell that the model is asked."""
        self.context.iteration = iteration
        self.context.messages = messages
        self.context.tool_calls = []
        self.context.tool_results = []
        await self._each(self._hooks, "before_iteration")

    async def on_stream(self, delta: str) -> None:
        """Tell a piece of the answer to those who want it."""
        self.context.streamed_content = bool(self.streaming)
        await self._each(self.streaming, "on_stream", delta)

    async def on_stream_end(self, *, resuming: bool) -> None:
        """Tell that a stretch of text is over."""
        await self._each(self.streaming, "on_stream_end", resuming=resuming)

    async def before_execute_tools(self, calls: Sequence[ToolCall]) -> None:
        """Tell which tools are about to run."""
        if self._hooks:
            self.context.tool_calls = [_shown(call) for call in calls]
        await self._each(self._hooks, "before_execute_tools")

    async def after_iteration(self, results: Sequence[ToolResult] = ()) -> None:
        """Tell that an iteration is over."""
        self.context.tool_results = list(results)
        await self._each(self._hooks, "after_iteration")

    def finalize(self, content: str, stop_reason: str, error: str) -> str:
        """Let each hook change the final answer."""
        self.context.stop_reason = stop_reason
        self.context.error = error
        for hook in self._hooks:
            try:
                content = hook.finalize_content(self.context, content) or ""
            except Exception:
                _failed(hook)
        self.context.final_content = content
        return content


def _wants_streaming(hook: AgentHook) -> bool:
    try:
        return hook.wants_streaming()
    except Exception:
        _failed(hook)
        return False


def _failed(hook: AgentHook) -> None:
    """Log the exception that is being handled, or let it end the run if the hook wants that."""
    if hook.reraise:
        raise
    log.get(hook=type(hook).__name__).error("hook_failed", exc_info=True)


def _shown(call: ToolCall) -> HookToolCall:
    try:
        arguments = strict_json.loads(call.arguments or "{}")
    except ValueError:
        arguments = {}
    return HookToolCall(
        id=call.id, name=call.name, arguments=arguments if isinstance(arguments, dict) else {}
    )
