"""Calls the SDK hooks of a run, in order; one that fails is logged and the run goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from nanobot import log, strict_json
from nanobot.agent.hooks import AgentHook, AgentHookContext, HookToolCall
from nanobot.messages import Message, ToolCall, ToolResult


class Hooks:
    """The hooks of one run and what they see."""

    def __init__(self, hooks: Sequence[AgentHook], session_key: str) -> None:
        self._hooks = hooks
        self._streaming = [hook for hook in hooks if hook.wants_streaming()]
        self.context = AgentHookContext(session_key=session_key)

    async def _run(self, hook: AgentHook, call: Awaitable[None]) -> None:
        try:
            await call
        except Exception:
            if hook.reraise:
                raise
            log.get(hook=type(hook).__name__).error("hook_failed", exc_info=True)

    async def before_iteration(self, iteration: int, messages: tuple[Message, ...]) -> None:
        """Tell that the model is asked."""
        self.context.iteration = iteration
        self.context.messages = messages
        self.context.tool_calls = []
        self.context.tool_results = []
        for hook in self._hooks:
            await self._run(hook, hook.before_iteration(self.context))

    async def on_stream(self, delta: str) -> None:
        """Tell a piece of the answer to those who want it."""
        for hook in self._streaming:
            self.context.streamed_content = True
            await self._run(hook, hook.on_stream(self.context, delta))

    async def on_stream_end(self, *, resuming: bool) -> None:
        """Tell that a stretch of text is over."""
        for hook in self._streaming:
            await self._run(hook, hook.on_stream_end(self.context, resuming=resuming))

    async def before_execute_tools(self, calls: Sequence[ToolCall]) -> None:
        """Tell which tools are about to run."""
        if self._hooks:
            self.context.tool_calls = [_shown(call) for call in calls]
        for hook in self._hooks:
            await self._run(hook, hook.before_execute_tools(self.context))

    async def after_iteration(self, results: Sequence[ToolResult] = ()) -> None:
        """Tell that an iteration is over."""
        self.context.tool_results = list(results)
        for hook in self._hooks:
            await self._run(hook, hook.after_iteration(self.context))

    def finalize(self, content: str) -> str:
        """Let each hook change the final answer."""
        for hook in self._hooks:
            try:
                content = hook.finalize_content(self.context, content) or ""
            except Exception:
                if hook.reraise:
                    raise
                log.get(hook=type(hook).__name__).error("hook_failed", exc_info=True)
        self.context.final_content = content
        return content


def _shown(call: ToolCall) -> HookToolCall:
    try:
        arguments = strict_json.loads(call.arguments or "{}")
    except ValueError:
        arguments = {}
    return HookToolCall(
        id=call.id, name=call.name, arguments=arguments if isinstance(arguments, dict) else {}
    )
