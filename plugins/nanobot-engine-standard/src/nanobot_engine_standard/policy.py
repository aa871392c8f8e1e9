"""What is known of the models that are asked: which fail at the moment, and how often one may ask.

All turns of an engine share it. A circuit is open while a model, asked with a certain key, is known
to fail in a certain way: it is asked after all others then, but it is asked.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence

from nanobot import errors
from nanobot.context import Clock
from nanobot.engine import ModelChoice
from nanobot.errors import NanobotError, ProviderError

OPEN_S: dict[type[ProviderError], float] = {
    errors.AuthError: 300.0,
    errors.QuotaError: 300.0,
    errors.RateLimitError: 30.0,
    errors.OverloadError: 30.0,
    errors.TransportError: 15.0,
    errors.ProviderTimeout: 15.0,
    errors.MalformedAnswer: 15.0,
}
"""Seconds for which a circuit opens; a vendor that says how long to wait is believed instead."""
LONGEST_S = 900.0
_WINDOW_S = 60.0
_Circuit = tuple[str, str, type[ProviderError]]


class Policy:
    """Orders the models of a turn, and paces the requests.

    Args:
        clock: The time.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._open_until: dict[_Circuit, float] = {}
        self._asked: defaultdict[str, deque[float]] = defaultdict(deque)

    def ordered(self, choices: Sequence[ModelChoice]) -> list[ModelChoice]:
        """Return all choices, those that are known to fail at the moment last."""
        return sorted(choices, key=self._is_failing)  # stable

    def failed(self, choice: ModelChoice, error: NanobotError) -> None:
        """Note that a model could not be had; it was tried as often as makes sense."""
        for kind, seconds in OPEN_S.items():
            if isinstance(error, kind):
                asked = error.retry_after
                if asked is not None and asked > 0:
                    seconds = min(asked, LONGEST_S)
                circuit = (choice.credential, choice.model, kind)
                self._open_until[circuit] = self.clock.monotonic() + seconds

    def succeeded(self, choice: ModelChoice) -> None:
        """Note that a model has answered."""
        if self._open_until:
            for kind in OPEN_S:
                self._open_until.pop((choice.credential, choice.model, kind), None)

    async def pace(self, choice: ModelChoice) -> None:
        """Wait until one more request keeps within the configured rate."""
        if choice.requests_per_minute is None:
            return
        asked = self._asked[choice.credential]
        while len(asked) >= choice.requests_per_minute:
            wait = asked[0] + _WINDOW_S - self.clock.monotonic()
            if wait > 0:
                await self.clock.sleep(wait)
            asked.popleft()
        asked.append(self.clock.monotonic())

    def _is_failing(self, choice: ModelChoice) -> bool:
        now = self.clock.monotonic()
        return any(
            self._open_until.get((choice.credential, choice.model, kind), now) > now
            for kind in OPEN_S
        )
