"""One answer from a model: retries, fallbacks, and the deadline between two pieces.

A failed call is tried again only while nothing of its answer was shown, so no text is ever doubled.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from nanobot import errors, log
from nanobot.context import Clock
from nanobot.engine import ModelChoice, Plugins
from nanobot.errors import NanobotError, ProviderError
from nanobot.errors import describe as _in_words
from nanobot.events import Notice
from nanobot.messages import Turn
from nanobot.middleware import Middleware, ModelNext
from nanobot.provider import ModelEvent, ModelFinish, ModelReasoning, ModelRequest, ModelText

from nanobot_engine_standard.streams import closing

ATTEMPTS = 4
MAX_WAIT_S = 60.0
_FINAL = (errors.ContextOverflow, errors.ContentFiltered, errors.BadRequest)


class TimeIsUp(Exception):
    """Report that the turn has used its time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """Which model the following events come from."""

    choice: ModelChoice


class ModelCaller:
    """Asks the models of a turn.

    Args:
        choices: The model to ask first and its fallbacks.
        idle_timeout_s: Seconds that a model may be silent.
    """

    def __init__(
        self,
        registry: Plugins,
        middleware: Sequence[Middleware],
        turn: Turn,
        clock: Clock,
        choices: Sequence[ModelChoice],
        idle_timeout_s: float,
    ) -> None:
        self._registry = registry
        self._middleware = middleware
        self._turn = turn
        self._clock = clock
        self._choices = choices
        self._idle_timeout_s = idle_timeout_s

    async def ask(
        self, request: ModelRequest, deadline: float
    ) -> AsyncIterator[ModelEvent | Notice | Chosen]:
        """Yield the events of one answer, ending with its `ModelFinish`.

        Args:
            request: What to ask; model and generation settings come from the choice.
            deadline: Loop time at which the turn is over.

        Raises:
            ProviderError: of the last candidate, once all have failed.
            TimeIsUp: The turn's time is up.
        """
        last: NanobotError | None = None
        for number, choice in enumerate(self._choices):
            if number:
                assert last
                name = f"{choice.provider}/{choice.model}"
                yield Notice(kind="fallback", text=f"{_short(last)} Asking {name} instead.")
            yield Chosen(choice=choice)
            shown = False
            try:
                async with closing(self._persist(request, choice, deadline)) as events:
                    async for event in events:
                        shown = shown or isinstance(event, ModelText | ModelReasoning)
                        yield event
                return
            except NanobotError as error:
                final = _FINAL if number == 0 else errors.ContextOverflow
                if shown or isinstance(error, final):
                    raise  # what is wrong with the request is so for all; yet each is asked once
                last = error
        raise last or errors.ConfigError("no model is configured", remedy="nanobot onboard")

    async def _persist(
        self, request: ModelRequest, choice: ModelChoice, deadline: float
    ) -> AsyncIterator[ModelEvent | Notice]:
        """Ask one candidate, again after failures that may pass."""
        for attempt in range(1, ATTEMPTS + 1):
            shown = False
            try:
                async with closing(self._once(request, choice, deadline)) as events:
                    async for event in events:
                        shown = shown or isinstance(event, ModelText | ModelReasoning)
                        yield event
                return
            except ProviderError as error:
                if shown or not error.retryable or attempt == ATTEMPTS:
                    raise
                wait = _wait(error, attempt)
                if wait > MAX_WAIT_S or self._left(deadline) < wait:
                    raise
                yield Notice(
                    kind="retry",
                    text=f"{_short(error)} Trying again in {wait:.0f} s "
                    f"({attempt} of {ATTEMPTS - 1}).",
                )
                await self._clock.sleep(wait)

    async def _once(
        self, request: ModelRequest, choice: ModelChoice, deadline: float
    ) -> AsyncIterator[ModelEvent]:
        provider = await self._open(choice)
        stack = AsyncExitStack()

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
        finish: ModelFinish | None = None
        async with stack:
            with _fence(choice):
                stream = proceed(asked)
                if self._middleware:
                    stack.push_async_exit(closing(stream))
                reader = aiter(stream)
            while (event := await self._next(reader, choice, deadline)) is not None:
                if finish is not None:
                    raise errors.MalformedAnswer("the provider went on after the end of its answer")
                if isinstance(event, ModelFinish):
                    finish = event
                else:
                    yield event
        if finish is None:
            raise errors.MalformedAnswer("the answer has no end", provider=choice.provider)
        yield finish

    async def _next(
        self, reader: AsyncIterator[ModelEvent], choice: ModelChoice, deadline: float
    ) -> ModelEvent | None:
        left = self._left(deadline)
        try:
            async with asyncio.timeout(min(self._idle_timeout_s, left)):
                with _fence(choice):
                    return await anext(reader, None)
        except TimeoutError:
            if left <= self._idle_timeout_s:
                raise TimeIsUp from None
            raise errors.ProviderTimeout(
                f"{choice.provider} sent nothing for {self._idle_timeout_s:g} s",
                provider=choice.provider,
                model=choice.model,
            ) from None

    async def _open(self, choice: ModelChoice) -> Any:
        return await self._registry.open_model(choice)

    @staticmethod
    def _left(deadline: float) -> float:
        return max(deadline - asyncio.get_running_loop().time(), 0.0)


@contextmanager
def _fence(choice: ModelChoice) -> Iterator[None]:
    """Turn what a plugin should not raise into a ProviderError, so that the next model is asked."""
    try:
        yield
    except NanobotError:
        raise
    except (Exception, SystemExit, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task and task.cancelling():
            raise
        log.get(provider=choice.provider).error("provider_crashed", exc_info=True)
        raise ProviderError(
            log.redact(f"{choice.provider} failed unexpectedly: {_in_words(error)}"),
            provider=choice.provider,
            model=choice.model,
        ) from error


def _wrap(layer: Middleware, turn: Turn, proceed: ModelNext) -> ModelNext:
    return lambda request: layer.around_model(request, turn, proceed)


def _wait(error: ProviderError, attempt: int) -> float:
    """Return the seconds to wait: what the vendor asked for, else doubling with jitter."""
    if error.retry_after is not None and error.retry_after >= 0:  # false for NaN
        return error.retry_after + 0.1
    return float(2 ** (attempt - 1)) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, no secret


def _short(error: NanobotError) -> str:
    return log.redact(error.message if error.message.endswith(".") else error.message + ".")
