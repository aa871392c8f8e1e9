"""The model-tool loop of one turn: ask, store, run the tools, store, until there is an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

from nanobot.engine import Limits, ModelChoice
from nanobot.errors import BlockedAddress, ContextOverflow, NanobotError, StorageError
from nanobot.events import Notice, ReasoningDelta, StreamEnd, TextDelta, ToolFinished, TurnEvent
from nanobot.messages import (
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
from nanobot_engine_standard.recovery import Decision, Next, Recovery
from nanobot_engine_standard.session import Session
from nanobot_engine_standard.streams import closing
from nanobot_engine_standard.toolbox import Toolbox
from nanobot_engine_standard.wording import NOT_RUN, in_words, wrap_up

MAX_OVERFLOWS = 3
_SHRINK = 0.6


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
    decision: Decision | None = None


class Loop:
    """Runs one turn that is already stored.

    Args:
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
            decision = answer.decision
            assert decision is not None
            note = decision.note
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
                    self._keep_partial(answer, continues)
                    raise
                self._scale *= _SHRINK
                yield Notice(kind="compaction", text=f"{error.message} Shortening what is sent.")
            except BaseException:
                self._keep_partial(answer, continues)
                raise
        decision = self._store(answer, choice, continues=continues, last=last)
        if answer.text:
            resuming = decision.next in (Next.TOOLS, Next.AGAIN)
            await self._hooks.on_stream_end(resuming=resuming)
            yield StreamEnd(resuming=resuming)
        if decision.notice:
            yield Notice(kind="recovery", text=decision.notice)
        if decision.next is not Next.TOOLS:
            await self._hooks.after_iteration()

    def _store(
        self, answer: _Answer, choice: ModelChoice, *, continues: bool, last: bool
    ) -> Decision:
        """Decide on a whole answer, and store it before anything is done about it."""
        finish = answer.finish
        assert finish is not None
        text = "".join(answer.text)
        words = Decision(next=Next.DONE, content=text)
        decision = answer.decision = words if last else self._recovery.decide(finish, text)
        self._session.answer(
            self._turn.id,
            text,
            calls=decision.calls,
            reasoning=finish.reasoning,
            usage=finish.usage,
            model=finish.model,
            finish=str(finish.reason),
            continues=continues,
        )
        self.outcome.usage += finish.usage
        self.outcome.model = finish.model or (answer.choice or choice).model
        self._hooks.context.usage = self.outcome.usage
        return decision

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
            self.outcome.content = text
            with suppress(StorageError):  # what broke the answer is what the user must know
                self._session.answer(self._turn.id, text, finish="interrupted", continues=continues)

    # --- tools ----------------------------------------------------------------------------------

    async def _run_tools(self, calls: tuple[ToolCall, ...]) -> AsyncIterator[TurnEvent]:
        await self._hooks.before_execute_tools(calls)
        done: list[tuple[ToolCall, ToolResult]] = []
        blocked = ""
        async with closing(self._toolbox.run(calls)) as events:
            async for event in events:
                if isinstance(event, ToolFinished):
                    self._session.tool(self._turn.id, event.call, event.result, event.seconds)
                    done.append((event.call, event.result))
                    if event.result.kind == BlockedAddress.kind:
                        blocked = event.result.text
                yield event
                if blocked:
                    break
        for call in calls[len(done) :]:
            self._session.tool(self._turn.id, call, NOT_RUN, 0.0)
            done.append((call, NOT_RUN))
        await self._hooks.after_iteration([result for _, result in done])
        self._progress.note(done)
        if blocked:
            yield self._say(f"Stopped: {blocked}", StopReason.BLOCKED)

    def _exhausted(self) -> StopReason | None:
        """Return the limit that the turn has reached, None while it may go on."""
        most = self._limits.max_turn_tokens
        billed = self.outcome.usage.billed
        if most is not None and billed.input + billed.output >= most:
            return StopReason.TOKEN_LIMIT
        if asyncio.get_running_loop().time() >= self._deadline:
            return StopReason.TIME_LIMIT
        return StopReason.NO_PROGRESS if self._progress.stuck else None

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
        note = wrap_up(reason, self._limits)
        if note:
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
