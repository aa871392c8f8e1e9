"""The model-tool loop of one turn: ask, store, run the tools, store, until there is an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

from nanobot.engine import Limits, ModelChoice
from nanobot.errors import (
    BlockedAddress,
    ContextOverflow,
    NanobotError,
    ProviderError,
    StorageError,
)
from nanobot.events import Notice, ReasoningDelta, StreamEnd, TextDelta, ToolFinished, TurnEvent
from nanobot.messages import StopReason, Text, ToolCall, ToolResult, Turn, Usage, UserMessage
from nanobot.provider import ModelFinish, ModelReasoning, ModelRequest, ModelText, Segment
from nanobot.specs import ToolDefinition

from nanobot_engine_standard import tokens, window
from nanobot_engine_standard.following import Following
from nanobot_engine_standard.hooking import Hooks
from nanobot_engine_standard.model import Chosen, ModelCaller
from nanobot_engine_standard.progress import Progress
from nanobot_engine_standard.recovery import Decision, Next, Recovery
from nanobot_engine_standard.resume import UNKNOWN_OUTCOME, Standing
from nanobot_engine_standard.session import Session
from nanobot_engine_standard.streams import closing
from nanobot_engine_standard.toolbox import Toolbox
from nanobot_engine_standard.turns import joined
from nanobot_engine_standard.wording import NOT_RUN, in_words, wrap_up

MAX_OVERFLOWS = 3
_SHRINK = 0.6
_LEAST_SHARE = 8


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
    """One model answer while it comes in.

    Args:
        joined: Somebody has said something more, so the turn goes on whatever the answer is.
    """

    text: list[str] = field(default_factory=list)
    finish: ModelFinish | None = None
    choice: ModelChoice | None = None
    decision: Decision | None = None
    joined: bool = False


class Loop:
    """Runs one turn that is already stored."""

    def __init__(
        self,
        session: Session,
        caller: ModelCaller,
        toolbox: Toolbox,
        hooks: Hooks,
        limits: Limits,
        turn: Turn,
        following: Following,
    ) -> None:
        self._session = session
        self._caller = caller
        self.toolbox = toolbox
        self._hooks = hooks
        self._limits = limits
        self._turn = turn
        self._following = following
        self._progress = Progress()
        self._recovery = Recovery()
        self._note = ""
        self._limit: StopReason | None = None
        self._over = False
        self._tools: tuple[ToolDefinition, ...] = ()
        self._system: tuple[Segment, ...] = ()
        self._fixed_tokens = 0
        self.outcome = Outcome()

    async def run(
        self, system: tuple[Segment, ...], choice: ModelChoice, standing: Standing
    ) -> AsyncIterator[TurnEvent]:
        """Yield the turn's events; the result is in `outcome` afterwards.

        Args:
            standing: What there is of the turn already.
        """
        self._system = system
        self._tools = await self.toolbox.offer()
        self._fixed_tokens = self.toolbox.tokens(self._tools)
        self._fixed_tokens += sum(tokens.of_text(segment.text) for segment in system)
        self._note, self._recovery = standing.note, Recovery(standing.pieces)
        if standing.calls:
            async with closing(self._take_up(standing.calls)) as happened:
                async for event in happened:
                    yield event
        iteration = standing.asked
        while not self._over and self._limit is None:
            if iteration >= self._limits.max_iterations:
                self._limit = StopReason.MAX_ITERATIONS
                break
            answer = _Answer()
            try:
                async with closing(self._ask(answer, choice, iteration)) as events:
                    async for event in events:
                        yield event
            except ProviderError as error:
                if not await self._following.drain():
                    raise
                self._renew()
                if answer.text:
                    yield StreamEnd(resuming=True)
                yield Notice(kind="warning", text=error.message)
            else:
                async with closing(self._act(answer)) as happened:
                    async for event in happened:
                        yield event
            iteration += 1
        if self._limit is not None and not self._over:
            async with closing(self._wrap_up(self._limit, choice)) as events:
                async for event in events:
                    yield event

    async def _act(self, answer: _Answer) -> AsyncIterator[TurnEvent]:
        """Do what an answer asks for."""
        decision = answer.decision
        assert decision is not None
        self._note = decision.note
        if answer.joined:
            self._renew()
        elif decision.next is Next.TOOLS:
            async with closing(self._work(decision.calls)) as happened:
                async for event in happened:
                    yield event
        elif decision.next is Next.DONE:
            self._finish(decision.content, StopReason.COMPLETED)
        elif decision.next is Next.EMPTY:
            yield self._say(decision.content, StopReason.EMPTY)

    def _renew(self) -> None:
        """Begin to count anew, since the user has said something more."""
        self._note = ""
        self._recovery = Recovery()
        self._progress = Progress()
        self.outcome.content = ""

    # --- asking ---------------------------------------------------------------------------------

    async def _ask(
        self,
        answer: _Answer,
        choice: ModelChoice,
        iteration: int,
        *,
        last: StopReason | None = None,
    ) -> AsyncIterator[TurnEvent]:
        """Get one answer and store it; shorten the conversation when the model says it is too long.

        Args:
            last: Why this answer ends the turn, whatever it is; it may call no tools.
        """
        continues = self._recovery.continues and not last
        hooks, text = self._hooks, answer.text
        for overflow in range(MAX_OVERFLOWS + 1):
            request = await self._request(choice, without_tools=last is not None)
            await hooks.before_iteration(iteration, request.messages)
            try:
                async with closing(self._caller.ask(request)) as events:
                    async for event in events:
                        if isinstance(event, ModelText):
                            text.append(event.text)
                            if hooks.streaming:
                                await hooks.on_stream(event.text)
                            yield TextDelta(text=event.text)
                        elif isinstance(event, ModelReasoning):
                            yield ReasoningDelta(text=event.text)
                        elif isinstance(event, ModelFinish):
                            answer.finish = event
                        elif isinstance(event, Chosen):
                            answer.choice = event.choice
                        else:
                            yield event
                break
            except ContextOverflow as error:
                if overflow == MAX_OVERFLOWS or text:
                    self._keep_partial(answer, continues)
                    raise
                self._shrink(choice, request)
                yield Notice(kind="compaction", text=f"{error.message} Shortening what is sent.")
            except BaseException:
                self._keep_partial(answer, continues)
                raise
        decision = self._store(answer, choice, continues=continues, last=last)
        if decision.next in (Next.DONE, Next.EMPTY) and not last:
            answer.joined = await self._following.drain(ending=decision.next is Next.DONE)
        if text:
            resuming = answer.joined or decision.next in (Next.TOOLS, Next.AGAIN)
            await hooks.on_stream_end(resuming=resuming)
            yield StreamEnd(resuming=resuming)
        if decision.notice:
            yield Notice(kind="recovery", text=decision.notice)
        if decision.next is not Next.TOOLS:
            await hooks.after_iteration()

    def _store(
        self, answer: _Answer, choice: ModelChoice, *, continues: bool, last: StopReason | None
    ) -> Decision:
        """Decide on a whole answer, and store it before anything is done about it."""
        finish = answer.finish
        assert finish is not None
        text = "".join(answer.text)
        words = Decision(next=Next.DONE, content=text)
        decision = answer.decision = words if last else self._recovery.decide(finish, text)
        stop = last or (StopReason.COMPLETED if decision.next is Next.DONE else None)
        model = finish.model or (answer.choice or choice).model
        self._session.answer(
            self._turn.id,
            text,
            calls=decision.calls,
            reasoning=finish.reasoning,
            usage=finish.usage,
            model=model,
            finish=str(finish.reason),
            continues=continues,
            stop=stop if decision.content.strip() else None,
        )
        self.outcome.usage += finish.usage
        self.outcome.model = model
        self._hooks.context.usage = self.outcome.usage
        return decision

    async def _request(self, choice: ModelChoice, *, without_tools: bool) -> ModelRequest:
        budget = int(choice.budget * self._scale(choice)) - self._fixed_tokens
        messages, pictured = window.fit(
            self._session.history, max(budget, choice.budget // _LEAST_SHARE)
        )
        messages = await self._session.fetch(messages, pictured)
        if self._note:
            note = UserMessage(parts=(Text(text=self._note),))
            last = messages[-1]
            if isinstance(last, UserMessage):
                messages[-1] = joined(last, note)
            else:
                messages.append(note)
        no_tools = without_tools or self._recovery.without_tools
        return ModelRequest(
            model=choice.model,
            system=self._system,
            messages=tuple(messages),
            tools=self._tools,
            tool_choice="none" if no_tools else "auto",
            cache_key=self._session.cache_key,
        )

    def _shrink(self, choice: ModelChoice, request: ModelRequest) -> None:
        """Send less to this model than was too much, in this turn and in those that follow."""
        sent = self._fixed_tokens + sum(map(tokens.of_message, request.messages))
        scale = min(self._scale(choice), sent / max(choice.budget, 1))
        self._session.shrink(choice.model, max(scale * _SHRINK, 1 / _LEAST_SHARE))

    def _scale(self, choice: ModelChoice) -> float:
        return self._session.history.scales.get(choice.model, 1.0)

    def _keep_partial(self, answer: _Answer, continues: bool) -> None:
        """Store what a broken answer had said, for the user has read it."""
        text = "".join(answer.text)
        if text:
            self.outcome.content = text
            with suppress(StorageError):  # what broke the answer is what the user must know
                self._session.answer(self._turn.id, text, finish="interrupted", continues=continues)

    # --- tools ----------------------------------------------------------------------------------

    async def _take_up(self, calls: tuple[ToolCall, ...]) -> AsyncIterator[TurnEvent]:
        """Go on with calls that an interruption has left without a result."""
        again = tuple(call for call in calls if self.toolbox.repeatable(call))
        for call in calls:
            if call not in again:
                self._session.tool(self._turn.id, call, UNKNOWN_OUTCOME, 0.0)
        async with closing(self._work(again)) as happened:
            async for event in happened:
                yield event

    async def _work(self, calls: tuple[ToolCall, ...]) -> AsyncIterator[TurnEvent]:
        """Run the tools of an answer, and see whether the turn may go on."""
        if calls:
            async with closing(self._run_tools(calls)) as happened:
                async for event in happened:
                    yield event
        if self._over:
            return
        self._note = self._progress.nudge
        if await self._following.drain():
            self._renew()
        self._limit = self._exhausted()

    async def _run_tools(self, calls: tuple[ToolCall, ...]) -> AsyncIterator[TurnEvent]:
        await self._hooks.before_execute_tools(calls)
        done: list[tuple[ToolCall, ToolResult]] = []
        blocked = ""
        async with closing(self.toolbox.run(calls)) as events:
            async for event in events:
                if isinstance(event, ToolFinished):
                    await self._keep_result(event)
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

    async def _keep_result(self, event: ToolFinished) -> None:
        """Store a result, before anybody sees it."""
        parts = await self._session.put_away(event.result.parts)
        result = replace(event.result, parts=parts)
        self._session.tool(self._turn.id, event.call, result, event.seconds)

    def _exhausted(self) -> StopReason | None:
        """Return the limit that the turn has reached, None while it may go on."""
        most = self._limits.max_turn_tokens
        billed = self.outcome.usage.billed
        if most is not None and billed.input + billed.output >= most:
            return StopReason.TOKEN_LIMIT
        if asyncio.get_running_loop().time() >= self._caller.deadline:
            return StopReason.TIME_LIMIT
        return StopReason.NO_PROGRESS if self._progress.stuck else None

    def _finish(self, content: str, reason: StopReason) -> None:
        self.outcome.content = content
        self.outcome.stop_reason = reason
        self._over = True

    def _say(self, words: str, reason: StopReason) -> TextDelta:
        """Answer in the model's place."""
        self._session.answer(self._turn.id, words, stop=reason)
        self._finish(words, reason)
        return TextDelta(text=words)

    async def _wrap_up(self, reason: StopReason, choice: ModelChoice) -> AsyncIterator[TurnEvent]:
        """End a turn at a limit: the model sums up where it may still be asked, else we say so."""
        words = in_words(reason, self._limits)
        self._note = wrap_up(reason, self._limits)
        if self._note:
            answer = _Answer()
            try:
                async with closing(self._ask(answer, choice, -1, last=reason)) as events:
                    async for event in events:
                        yield event
            except NanobotError as error:
                words = f"{words} ({error.message})"
            text = "".join(answer.text)
            if text.strip():
                self._finish(text, reason)
                return
        yield self._say(words, reason)
