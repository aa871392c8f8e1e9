"""One answer from a model: retries, fallbacks, and the deadline between two pieces.

A failed call is tried again only while nothing of its answer was shown, so no text is ever doubled.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from nanobot import errors, log
from nanobot.engine import Limits, ModelChoice, Plugins
from nanobot.errors import NanobotError, ProviderError
from nanobot.errors import describe as _in_words
from nanobot.events import Notice
from nanobot.messages import Turn
from nanobot.middleware import Middleware, ModelNext
from nanobot.provider import ModelEvent, ModelFinish, ModelRequest

from nanobot_engine_standard.alarm import Alarm
from nanobot_engine_standard.policy import Policy
from nanobot_engine_standard.streams import closing

ATTEMPTS = 4
MAX_WAIT_S = 60.0
MOST_CHARS = 8_000_000
"""Of one answer, thoughts included: no model writes as much, and a server that never ends does."""
_LONGEST_ROUND_S = 120.0  # between two rounds of all models, where failures are outwaited
_FINAL = (errors.ContextOverflow, errors.ContentFiltered, errors.BadRequest)
_STRAY = (Exception, SystemExit, asyncio.CancelledError)


class TimeIsUp(Exception):
    """Report that the turn has used its time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """Which model the following events come from."""

    choice: ModelChoice


class ModelCaller:
    """Asks the models of a turn.

    Args:
        policy: What is known of the models.
        choices: The model to ask first and its fallbacks.
        limits: Among them the seconds that a model may be silent.
        deadline: Loop time at which the turn is over.
    """

    def __init__(
        self,
        registry: Plugins,
        middleware: Sequence[Middleware],
        turn: Turn,
        policy: Policy,
        choices: Sequence[ModelChoice],
        limits: Limits,
        deadline: float,
    ) -> None:
        self._registry = registry
        self._middleware = [layer for layer in middleware if overrides(layer, "around_model")]
        self._turn = turn
        self._policy = policy
        self._choices = choices
        self._limits = limits
        self.deadline = deadline

    async def ask(self, request: ModelRequest) -> AsyncIterator[ModelEvent | Notice | Chosen]:
        """Yield the events of one answer, ending with its `ModelFinish`.

        Args:
            request: What to ask; model and generation settings come from the choice.

        Raises:
            ProviderError: of the last candidate, once all have failed.
            TimeIsUp: The turn's time is up.
        """
        if not self._choices:
            raise errors.ConfigError("no model is configured", remedy="nanobot onboard")
        for round in count():
            try:
                async with closing(self._round(request)) as events:
                    async for event in events:
                        yield event
                return
            except _AllFailed as failed:
                wait = self._again(failed.last, round)
                if wait is None:
                    raise failed.last from None
                yield Notice(
                    kind="retry", text=f"{_short(failed.last)} Trying again in {wait:.0f} s."
                )
                await self._policy.clock.sleep(wait)

    async def _round(self, request: ModelRequest) -> AsyncIterator[ModelEvent | Notice | Chosen]:
        """Ask each choice in turn until one answers.

        Raises:
            _AllFailed: None did.
        """
        last: NanobotError | None = None
        before: ModelChoice | None = None
        choices = self._policy.ordered(self._choices)
        for choice, after in zip(choices, [*choices[1:], None], strict=True):
            if before and not _alike(before, choice):
                assert last
                name = f"{choice.provider}/{choice.model}"
                yield Notice(kind="fallback", text=f"{_short(last)} Asking {name} instead.")
            yield Chosen(choice=choice)
            for attempt in range(1, ATTEMPTS + 1):
                call = _Call(choice, self._limits.idle_timeout_s, self.deadline)
                try:
                    async with AsyncExitStack() as stack:
                        await self._policy.pace(choice)
                        await call.open(stack, await self._stream(request, choice, stack))
                        while (event := await call.next()) is not None:
                            yield event
                    self._policy.succeeded(choice)
                    yield call.end()
                    return
                except NanobotError as error:
                    final = errors.ContextOverflow if before else _FINAL
                    last, wait = error, self._wait(error, attempt)
                    if call.shown or (wait is None and isinstance(error, final)):
                        raise  # a wrong request is wrong for all; yet each fallback is asked once
                if wait is None or (after and _alike(choice, after) and _is_of_key(last)):
                    break
                yield _retry(last, wait, attempt)
                await self._policy.clock.sleep(wait)
            assert last
            self._policy.failed(choice, last)
            before = choice
        assert last
        raise _AllFailed(last)

    def _again(self, error: NanobotError, round: int) -> float | None:
        """Return the seconds until all are asked again, None where that is not wanted."""
        if not self._limits.persistent or not isinstance(error, ProviderError):
            return None
        if not error.retryable:
            return None
        wait = min(_LONGEST_ROUND_S, float(2 ** min(round + 3, 10)))
        left = self.deadline - asyncio.get_running_loop().time()
        return wait if left > wait else None

    async def _stream(
        self, request: ModelRequest, choice: ModelChoice, stack: AsyncExitStack
    ) -> Callable[[], AsyncIterator[ModelEvent]]:
        """Return what asks the provider of a choice through the middleware."""
        provider = await self._registry.open_model(choice)

        def ask(request: ModelRequest) -> AsyncIterator[ModelEvent]:
            stream: AsyncIterator[ModelEvent] = provider.stream(request)
            stack.push_async_exit(closing(stream))  # whatever the middleware does about it
            return stream

        proceed: ModelNext = ask
        for layer in reversed(self._middleware):
            proceed = _wrap(layer, self._turn, proceed)
        asked = replace(
            request,
            model=choice.model,
            max_tokens=choice.max_tokens,
            temperature=choice.temperature,
            reasoning_effort=choice.effort,
        )
        return lambda: proceed(asked)

    def _wait(self, error: NanobotError, attempt: int) -> float | None:
        """Return the seconds to wait before the same model is asked again, None for not at all."""
        if not isinstance(error, ProviderError) or not error.retryable or attempt == ATTEMPTS:
            return None
        wait = _pause(error, attempt)
        left = max(self.deadline - asyncio.get_running_loop().time(), 0.0)
        return None if wait > MAX_WAIT_S or left < wait else wait


class _AllFailed(Exception):
    """Report that no choice has answered; `last` is why the last one did not."""

    def __init__(self, last: NanobotError) -> None:
        super().__init__()
        self.last = last


class _Call:
    """One call of one model, read event by event.

    Attributes:
        shown: Something of the answer has been passed on.
    """

    def __init__(self, choice: ModelChoice, idle_timeout_s: float, deadline: float) -> None:
        self._choice = choice
        self._idle_timeout_s = idle_timeout_s
        self._deadline = deadline
        self._time = asyncio.get_running_loop().time
        self._alarm = Alarm()
        self._read: Callable[[], Awaitable[ModelEvent]]
        self._finish: ModelFinish | None = None
        self._chars = 0
        self.shown = False

    async def open(
        self, stack: AsyncExitStack, start: Callable[[], AsyncIterator[ModelEvent]]
    ) -> None:
        """Begin the call; the stack ends it."""
        stack.callback(self._alarm.close)
        try:
            stream = start()
            stack.push_async_exit(closing(stream))
            self._read = aiter(stream).__anext__
        except BaseException as error:
            self._tell(error)
            raise

    async def next(self) -> ModelEvent | None:
        """Return the next piece of the answer, None when there is no more."""
        alarm, now = self._alarm, self._time()
        while True:
            alarm.set(min(now + self._idle_timeout_s, self._deadline))
            try:
                event = await self._read()
            except StopAsyncIteration:
                return None
            except BaseException as error:
                self._tell(error)
                raise
            finally:
                alarm.clear()
            if self._finish is not None:
                raise errors.MalformedAnswer("the provider went on after the end of its answer")
            if isinstance(event, ModelFinish):
                self._finish = event
                now = self._time()
                continue
            self.shown = True
            self._chars += len(event.text)
            if self._chars > MOST_CHARS:
                raise errors.MalformedAnswer(
                    f"{self._choice.provider} has sent more than {MOST_CHARS:,} characters",
                    provider=self._choice.provider,
                    model=self._choice.model,
                )
            if now >= self._deadline:
                raise TimeIsUp
            return event

    def end(self) -> ModelFinish:
        """Return how the answer ended, after its last piece."""
        if self._finish is None:
            raise errors.MalformedAnswer("the answer has no end", provider=self._choice.provider)
        return self._finish

    def _tell(self, error: BaseException) -> None:
        """Raise what an error of the call means, if that is another one.

        What plugins should not raise becomes a ProviderError, so that the next model is asked.
        """
        choice = self._choice
        if isinstance(error, asyncio.CancelledError):
            if self._alarm.rang():
                if self._deadline <= self._time():
                    raise TimeIsUp from None
                raise errors.ProviderTimeout(
                    f"{choice.provider} sent nothing for {self._idle_timeout_s:g} s",
                    provider=choice.provider,
                    model=choice.model,
                ) from None
            task = asyncio.current_task()
            if task and task.cancelling():
                return
        if isinstance(error, NanobotError) or not isinstance(error, _STRAY):
            return
        log.get(provider=choice.provider).error("provider_crashed", exc_info=True)
        raise ProviderError(
            log.redact(f"{choice.provider} failed unexpectedly: {_in_words(error)}"),
            provider=choice.provider,
            model=choice.model,
        ) from error


def overrides(layer: Any, method: str) -> bool:
    """Tell whether middleware does something at a place; what does nothing is left out there."""
    return getattr(type(layer), method, None) is not getattr(Middleware, method)


def _wrap(layer: Middleware, turn: Turn, proceed: ModelNext) -> ModelNext:
    return lambda request: layer.around_model(request, turn, proceed)


def _retry(error: NanobotError, wait: float, attempt: int) -> Notice:
    left = f"({attempt} of {ATTEMPTS - 1})"
    return Notice(kind="retry", text=f"{_short(error)} Trying again in {wait:.0f} s {left}.")


def _pause(error: ProviderError, attempt: int) -> float:
    """Return the seconds to wait: what the vendor asked for, else doubling with jitter."""
    if error.retry_after is not None and error.retry_after >= 0:  # false for NaN
        return error.retry_after + 0.1
    return float(2 ** (attempt - 1)) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, no secret


def _alike(one: ModelChoice, other: ModelChoice) -> bool:
    """Tell whether two choices are the same model, asked with different keys."""
    return (one.provider, one.model) == (other.provider, other.model)


def _is_of_key(error: NanobotError) -> bool:
    """Tell whether another key may help."""
    return isinstance(error, errors.RateLimitError | errors.AuthError | errors.QuotaError)


def _short(error: NanobotError) -> str:
    return log.redact(error.message if error.message.endswith(".") else error.message + ".")
