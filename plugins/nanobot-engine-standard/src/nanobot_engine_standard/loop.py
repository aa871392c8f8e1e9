"""The model-tool loop of one turn: ask, store, run the tools, store, until there is an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from nanobot.engine import Limits, ModelChoice
from nanobot.errors import BlockedAddress, ContextOverflow, NanobotError
from nanobot.events import Notice, ReasoningDelta, StreamEnd, TextDelta, ToolFinished, TurnEvent
from nanobot.messages import (
    FinishReason,
    Message,
    StopReason,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    Usage,
    UserMessage,
)
from nanobot.provider import ModelFinish, ModelReasoning, ModelRequest, ModelText, Segment
from nanobot.specs import ToolDefinition

from nanobot_engine_standard import tokens, window
from nanobot_engine_standard.hooking import Hooks
from nanobot_engine_standard.model import Chosen, ModelCaller
from nanobot_engine_standard.progress import Progress
from nanobot_engine_standard.recovery import Next, Recovery
from nanobot_engine_standard.session import Session
from nanobot_engine_standard.streams import closing
from nanobot_engine_standard.toolbox import Toolbox

MAX_OVERFLOWS = 3
_SHRINK = 0.6

_WRAP_UP = {
    StopReason.MAX_ITERATIONS: "The limit of {limit} tool rounds for one turn is reached.",
    StopReason.NO_PROGRESS: "The tool calls lead nowhere.",
}
_SUM_UP = (
    " No more tools can run. Tell the user what was done, what was found, and what is left open."
)


@dataclass(slots=True)
class Outcome:
    """What the loop came to."""

    content: str = ""
    stop_reason: StopReason = StopReason.COMPLETED
    error: str = ""
    usage: Usage = field(default_factory=Usage)
    model: str = ""


@dataclass(slots=True)
class _Answer:
    """One model answer while it comes in."""

    text: list[str] = field(default_factory=list)
    finish: ModelFinish | None = None
    choice: ModelChoice | None = None


class Loop:
    """Runs one turn that is already stored.

    Args:
        system: The system prompt.
        deadline: Loop time at which the turn is over.
    """

    def __init__(
        self,
        session: Session,
        caller: ModelCaller,
        toolbox: Toolbox,
        hooks: Hooks,
        limits: Limits,
        turn: Turn,
        deadline: float,
    ) -> None:
        self._session = session
        self._caller = caller
        self._toolbox = toolbox
        self._hooks = hooks
        self._limits = limits
        self._turn = turn
        self._deadline = deadline
        self._progress = Progress()
        self._recovery = Recovery()
        self._scale = 1.0
        self._tools: tuple[ToolDefinition, ...] = ()
        self._system: tuple[Segment, ...] = ()
        self._fixed_tokens = 0
        self.outcome = Outcome()

    async def run(
        self, system: tuple[Segment, ...], choice: ModelChoice
    ) -> AsyncIterator[TurnEvent]:
        """Yield the turn's events; the result is in `outcome` afterwards."""
        self._system = system
        self._tools = await self._toolbox.offer()
        self._fixed_tokens = tokens.of_tools(self._tools)
        self._fixed_tokens += sum(tokens.of_text(segment.text) for segment in system)
        limit = StopReason.MAX_ITERATIONS
        note = ""
        for iteration in range(self._limits.max_iterations):
            answer = _Answer()
            async with closing(self._ask(answer, choice, iteration, note)) as events:
                async for event in events:
                    yield event
            assert answer.finish is not None
            decision = self._recovery.decide(answer.finish, "".join(answer.text))
            note = decision.note
            if decision.notice:
                yield Notice(kind="recovery", text=decision.notice)
            if decision.next is Next.TOOLS:
                async with closing(self._run_tools(decision.calls)) as happened:
                    async for event in happened:
                        yield event
                if self.outcome.stop_reason is StopReason.BLOCKED:
                    return
                note = self._progress.nudge
                reached = self._exhausted()
                if reached is not None:
                    limit = reached
                    break
            elif decision.next is Next.DONE:
                self._finish(decision.content, StopReason.COMPLETED)
                return
            elif decision.next is Next.EMPTY:
                yield self._say(decision.content, StopReason.EMPTY)
                return
        async with closing(self._wrap_up(limit, choice)) as events:
            async for event in events:
                yield event

    # --- asking ---------------------------------------------------------------------------------

    async def _ask(
        self,
        answer: _Answer,
        choice: ModelChoice,
        iteration: int,
        note: str,
        *,
        last: bool = False,
    ) -> AsyncIterator[TurnEvent]:
        """Get one answer and store it; shorten the conversation when the model says it is too long.

        Args:
            last: True to forbid tools, for the answer that ends a turn at a limit.
        """
        continues = self._recovery.continues and not last
        no_tools = self._recovery.without_tools or last
        for overflow in range(MAX_OVERFLOWS + 1):
            request = self._request(choice, note, no_tools)
            await self._hooks.before_iteration(iteration, request.messages)
            try:
                async with closing(self._receive(answer, request)) as events:
                    async for event in events:
                        yield event
                break
            except ContextOverflow as error:
                if overflow == MAX_OVERFLOWS or answer.text:
                    raise
                self._scale *= _SHRINK
                yield Notice(kind="compaction", text=f"{error.message} Shortening what is sent.")
            except BaseException:
                self._keep_partial(answer, continues)
                raise
        finish = answer.finish
        assert finish is not None
        calls = () if last else self._recovery.runnable(finish)
        self._session.answer(
            self._turn.id,
            "".join(answer.text),
            calls=calls,
            reasoning=finish.reasoning,
            usage=finish.usage,
            model=finish.model,
            finish=str(finish.reason),
            continues=continues,
        )
        self.outcome.usage += finish.usage
        self.outcome.model = finish.model or (answer.choice or choice).model
        if answer.text:
            resuming = bool(calls) or finish.reason is FinishReason.LENGTH
            await self._hooks.on_stream_end(resuming=resuming)
            yield StreamEnd(resuming=resuming)

    async def _receive(self, answer: _Answer, request: ModelRequest) -> AsyncIterator[TurnEvent]:
        async with closing(self._caller.ask(request, self._deadline)) as events:
            async for event in events:
                if isinstance(event, ModelText):
                    answer.text.append(event.text)
                    await self._hooks.on_stream(event.text)
                    yield TextDelta(text=event.text)
                elif isinstance(event, ModelReasoning):
                    yield ReasoningDelta(text=event.text)
                elif isinstance(event, ModelFinish):
                    answer.finish = event
                elif isinstance(event, Chosen):
                    answer.choice = event.choice
                else:
                    yield event

    def _request(self, choice: ModelChoice, note: str, no_tools: bool) -> ModelRequest:
        budget = int(choice.budget * self._scale) - self._fixed_tokens
        messages: tuple[Message, ...] = window.fit(
            self._session.history.turns, max(budget, choice.budget // 8)
        )
        if note:
            messages = (*messages, UserMessage(parts=(Text(text=note),)))
        return ModelRequest(
            model=choice.model,
            system=self._system,
            messages=messages,
            tools=self._tools,
            tool_choice="none" if no_tools else "auto",
            cache_key=self._session.key,
        )

    def _keep_partial(self, answer: _Answer, continues: bool) -> None:
        """Store what a broken answer had said, for the user has read it."""
        text = "".join(answer.text)
        if text:
            self._session.answer(self._turn.id, text, finish="interrupted", continues=continues)
            self.outcome.content = text

    # --- tools ----------------------------------------------------------------------------------

    async def _run_tools(self, calls: tuple[ToolCall, ...]) -> AsyncIterator[TurnEvent]:
        await self._hooks.before_execute_tools(calls)
        done: list[tuple[ToolCall, ToolResult]] = []
        async with closing(self._toolbox.run(calls)) as events:
            async for event in events:
                if isinstance(event, ToolFinished):
                    self._session.tool(self._turn.id, event.call, event.result, event.seconds)
                    done.append((event.call, event.result))
                yield event
        await self._hooks.after_iteration([result for _, result in done])
        self._progress.note(done)
        for _, result in done:
            if result.kind == BlockedAddress.kind:
                yield self._say(f"Stopped: {result.text}", StopReason.BLOCKED)
                return

    def _exhausted(self) -> StopReason | None:
        """Return the limit that the turn has reached, None while it may go on."""
        most = self._limits.max_turn_tokens
        billed = self.outcome.usage.billed
        if most is not None and billed.input + billed.output >= most:
            return StopReason.TOKEN_LIMIT
        if asyncio.get_running_loop().time() >= self._deadline:
            return StopReason.TIME_LIMIT
        return StopReason.NO_PROGRESS if self._progress.stuck else None

    # --- ending ---------------------------------------------------------------------------------

    def _finish(self, content: str, reason: StopReason) -> None:
        self.outcome.content = content
        self.outcome.stop_reason = reason

    def _say(self, words: str, reason: StopReason) -> TextDelta:
        """Answer in the model's place."""
        self._session.answer(self._turn.id, words)
        self._finish(words, reason)
        return TextDelta(text=words)

    async def _wrap_up(self, reason: StopReason, choice: ModelChoice) -> AsyncIterator[TurnEvent]:
        """End a turn at a limit: the model sums up where it may still be asked, else we say so."""
        words = in_words(reason, self._limits)
        if reason in _WRAP_UP:
            note = _WRAP_UP[reason].format(limit=self._limits.max_iterations) + _SUM_UP
            answer = _Answer()
            try:
                async with closing(self._ask(answer, choice, -1, note, last=True)) as events:
                    async for event in events:
                        yield event
            except NanobotError as error:
                words = f"{words} ({error.message})"
            text = "".join(answer.text)
            if text.strip():
                self._finish(text, reason)
                return
        yield self._say(words, reason)


def in_words(reason: StopReason, limits: Limits) -> str:
    """Say in words for the user why a turn had to stop."""
    texts = {
        StopReason.MAX_ITERATIONS: f"I stopped after {limits.max_iterations} rounds of tool calls "
        "without a final answer. Say “go on” to continue, or raise "
        "agents.defaults.maxToolIterations.",
        StopReason.NO_PROGRESS: "I stopped because my tool calls kept giving the same results. "
        "Tell me more about what you need.",
        StopReason.TOKEN_LIMIT: f"I stopped because this turn used its {limits.max_turn_tokens} "
        "tokens (agents.defaults.maxTurnTokens). Say “go on” to continue.",
        StopReason.TIME_LIMIT: f"I stopped because this turn took longer than "
        f"{limits.turn_timeout_s:g} s (agents.defaults.turnTimeoutS). Say “go on” to continue.",
    }
    return texts.get(reason, "I stopped before I was done.")
