"""The tools of a turn: what is on offer, and the one way to run one.

resolve -> validate -> role -> middleware -> call with a deadline -> throttle -> spill
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from time import perf_counter
from typing import Any

from nanobot import log
from nanobot.engine import EngineSettings, Plugins
from nanobot.errors import NanobotError, ToolError
from nanobot.errors import describe as _in_words
from nanobot.events import ToolFinished, ToolStarted
from nanobot.messages import Text, ToolCall, ToolResult, Turn
from nanobot.middleware import Middleware, ToolNext
from nanobot.specs import ToolDefinition
from nanobot.tool import DynamicTool, ToolRequest

from nanobot_engine_standard import arguments
from nanobot_engine_standard.progress import Refusals
from nanobot_engine_standard.spill import spill

MAX_PARALLEL = 8
STOP_GRACE_S = 5.0  # for a call that is stopped to clean up; after that it is left behind


@dataclass(frozen=True, kw_only=True, slots=True)
class _Offer:
    """A tool on offer and the plugin that runs it."""

    plugin: str
    definition: ToolDefinition


class Toolbox:
    """The tools that one turn may use.

    Args:
        deadline: Loop time at which the turn is over.
        allowed: Names of the tools on offer, as `Profile.tools` has them.
        tokens: Counts what telling a model of some tools costs.
    """

    def __init__(
        self,
        registry: Plugins,
        middleware: Sequence[Middleware],
        settings: EngineSettings,
        turn: Turn,
        deadline: float,
        *,
        allowed: Sequence[str] = (),
        tokens: Callable[[tuple[ToolDefinition, ...]], int],
    ) -> None:
        self._registry = registry
        self._middleware = middleware
        self._settings = settings
        self._turn = turn
        self._deadline = deadline
        self._taken = [pattern[1:] for pattern in allowed if pattern.startswith("!")]
        self._given = [pattern for pattern in allowed if not pattern.startswith("!")] or ["*"]
        self.tokens = tokens
        self._refusals = Refusals(turn.workspace.root)
        self._offers: dict[str, _Offer] = {}
        self.used: dict[str, None] = {}

    async def offer(self) -> tuple[ToolDefinition, ...]:
        """Return the tools on offer, in a stable order; the first plugin wins a name.

        Tools that are known only once they are open come last, so that none takes a known name.
        """
        role = self._turn.scope.principal.role
        for spec in sorted(self._registry.usable("tools"), key=lambda spec: not spec.tools):
            definitions = spec.tools
            if not definitions:
                definitions = await self._dynamic(spec.name)
            for definition in definitions:
                if role.allows(definition.role) and self._is_allowed(definition.name):
                    offer = _Offer(plugin=spec.name, definition=definition)
                    self._offers.setdefault(definition.name, offer)
        return tuple(self._offers[name].definition for name in sorted(self._offers))

    def _is_allowed(self, name: str) -> bool:
        given = any(fnmatchcase(name, pattern) for pattern in self._given)
        return given and not any(fnmatchcase(name, pattern) for pattern in self._taken)

    async def _dynamic(self, plugin: str) -> tuple[ToolDefinition, ...]:
        try:
            opened = await self._registry.open("tools", plugin)
            offered = tuple(opened.definitions()) if isinstance(opened, DynamicTool) else ()
            if not all(isinstance(definition, ToolDefinition) for definition in offered):
                raise TypeError("definitions() returned something else than tool definitions")
        except (Exception, SystemExit) as error:
            log.get(plugin=f"tools.{plugin}").warning("tools_not_offered", reason=_in_words(error))
            return ()
        return offered

    def repeatable(self, call: ToolCall) -> bool:
        """Tell whether a call that was interrupted may be run again."""
        offer = self._offers.get(call.name)
        return offer is not None and offer.definition.effects.repeatable

    # --- running --------------------------------------------------------------------------------

    async def run(self, calls: Sequence[ToolCall]) -> AsyncIterator[ToolStarted | ToolFinished]:
        """Run the calls of one answer: neighbours that may overlap at once, others one by one."""
        for batch in self._batches(calls):
            tasks: list[asyncio.Task[ToolFinished]] = []
            try:
                for call in batch:
                    yield ToolStarted(call=call, arguments=self._preview(call))
                    tasks.append(asyncio.create_task(self._finish(call)))
                for task in tasks:
                    yield await task
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _batches(self, calls: Sequence[ToolCall]) -> list[list[ToolCall]]:
        batches: list[list[ToolCall]] = []
        before = ""
        for call in calls:
            overlap = self._overlap(call.name)
            if overlap and overlap == before and len(batches[-1]) < MAX_PARALLEL:
                batches[-1].append(call)
            else:
                batches.append([call])
            before = overlap
        return batches

    def _overlap(self, name: str) -> str:
        """Return what a call may overlap with: other readers, calls of its plugin, or nothing."""
        offer = self._offers.get(name)
        if offer is None:
            return ""
        if offer.definition.effects.read_only:
            return "read"
        return offer.plugin if offer.definition.concurrent else ""

    def _preview(self, call: ToolCall) -> Mapping[str, object]:
        try:
            return arguments.parse(call.arguments, {})
        except ToolError:
            return {}

    async def _finish(self, call: ToolCall) -> ToolFinished:
        started = perf_counter()
        result = self._refusals.escalate(await self._run_one(call))
        offer = self._offers.get(call.name)
        if (offer is None or offer.definition.spill) and self._is_long(result):
            result = await asyncio.to_thread(self._spill, call, result)
        return ToolFinished(call=call, result=result, seconds=perf_counter() - started)

    def _is_long(self, result: ToolResult) -> bool:
        most = self._settings.limits.max_tool_result_chars
        return any(isinstance(part, Text) and len(part.text) > most for part in result.parts)

    def _spill(self, call: ToolCall, result: ToolResult) -> ToolResult:
        limit = self._settings.limits.max_tool_result_chars
        folder = self._settings.spill
        try:
            shown = str(folder.relative_to(self._settings.workspace.root))
            folder = self._turn.workspace.root / shown  # where the tools of this turn can read it
        except ValueError:
            shown = str(folder)
        return spill(result, folder, shown, f"{self._turn.id}-{call.id}", limit)

    async def _run_one(self, call: ToolCall) -> ToolResult:
        offer = self._offers.get(call.name)
        if offer is None:
            return self._unknown(call.name)
        definition = offer.definition
        try:
            request = ToolRequest(
                name=call.name,
                arguments=arguments.parse(call.arguments, definition.parameters),
                call_id=call.id,
            )
            tool = await self._registry.open("tools", offer.plugin)
            return await self._around(request, tool, definition)
        except ToolError as error:
            return ToolResult.error(
                error.kind, error.message, retryable=error.retryable, target=error.target
            )
        except NanobotError as error:
            return ToolResult.error("unavailable", error.message)
        except _Late as late:
            return ToolResult.error(
                "timeout", f"{call.name} did not finish within {late.seconds:.4g} s"
            )
        except (Exception, SystemExit) as error:
            log.get(tool=call.name).error("tool_crashed", exc_info=True)
            message = log.redact(_in_words(error))
            return ToolResult.error("crashed", f"{call.name} failed: {message}")

    async def _around(
        self, request: ToolRequest, tool: Any, definition: ToolDefinition
    ) -> ToolResult:
        async def call(request: ToolRequest) -> ToolResult:
            self.used[request.name] = None
            seconds = min(definition.deadline_s, self._left())
            return await _bounded(tool.call(request, self._turn), seconds)

        proceed: ToolNext = call
        for layer in reversed(self._middleware):
            proceed = _wrap(layer, self._turn, proceed)
        if proceed is call:
            return await call(request)
        return await _bounded(proceed(request), self._left())

    def _left(self) -> float:
        return max(self._deadline - asyncio.get_running_loop().time(), 0.0)

    def _unknown(self, name: str) -> ToolResult:
        near = difflib.get_close_matches(name, self._offers, n=1, cutoff=0.5)
        meant = f" Did you mean {near[0]}?" if near else ""
        known = ", ".join(sorted(self._offers)) or "none"
        return ToolResult.error(
            "unknown_tool", f"There is no tool {name!r}.{meant} Available: {known}."
        )


class _Late(Exception):
    """Report a call that was stopped when its time was up."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


async def _bounded(work: Awaitable[Any], seconds: float) -> ToolResult:
    """Return what some work comes to; stop it when its time is up, or the turn's.

    It runs in a task of its own: work that cancels itself, exits, or ignores that it is stopped
    must not take the turn with it.
    """
    task = asyncio.create_task(_contained(work))
    late = False
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
        late = not done
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=STOP_GRACE_S)
    if late and (task.cancelled() or not task.done()):
        raise _Late(seconds)
    if task.cancelled():
        raise RuntimeError("the call was cancelled from within")
    result = task.result()
    if not isinstance(result, ToolResult):
        raise TypeError(f"it returned a {type(result).__name__}, not a ToolResult")
    return result


async def _contained(work: Awaitable[Any]) -> Any:
    """Await some work; a task must not end in SystemExit, which would end the whole process."""
    try:
        return await work
    except SystemExit as error:
        raise RuntimeError(_in_words(error)) from error


def _wrap(layer: Middleware, turn: Turn, proceed: ToolNext) -> ToolNext:
    async def wrapped(request: ToolRequest) -> ToolResult:
        return await layer.around_tool(request, turn, proceed)

    return wrapped
