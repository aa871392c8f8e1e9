"""A search engine behind an HTTP API: the part that all of them share."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from nanobot_tool_web.api import Api, Ask
from nanobot_tool_web.engine import NO_WISHES, Hit, Wishes
from nanobot_tool_web.plain import plain

_DAYS = {"day": 1, "week": 7, "month": 31, "year": 366}


class Vendor(Api, ABC):
    """A search engine; subclass it, and open it with ``async with``."""

    @abstractmethod
    def ask(self, query: str, count: int, wishes: Wishes, key: str) -> Ask:
        """Return the request for a search; ``key`` is empty when there is none."""

    @abstractmethod
    def hits(self, answer: Any) -> Iterable[Hit]:
        """Return the results within an answer, in its order; `records` and `text` help."""

    def read(self, body: bytes) -> Any:
        """Return the answer within a body; raises ValueError when it is none."""
        return json.loads(body)

    def dates(self, wishes: Wishes) -> tuple[str, str]:
        """Return the first and last day of the wished time, as ``2026-01-31``; empty if any."""
        if ".." in wishes.time_range:
            first, _, last = wishes.time_range.partition("..")
            return first, last
        if wishes.time_range not in _DAYS:
            return "", ""
        today = self.context.clock.now().date()
        first_day = today - timedelta(days=_DAYS[wishes.time_range])
        return first_day.isoformat(), today.isoformat()

    async def search(
        self, query: str, *, count: int, wishes: Wishes = NO_WISHES
    ) -> tuple[Hit, ...]:
        """Return at most ``count`` results, as `nanobot_tool_web.engine.SearchEngine` says."""
        ask = self.ask(query, count, wishes, self.key(wishes.access))
        try:
            async with asyncio.timeout(wishes.access.timeout_s):
                body = await self.call(ask, wishes.access)
                return await asyncio.to_thread(lambda: tuple(self._clean(body))[:count])
        except TimeoutError:
            raise self.too_slow() from None
        except (ValueError, RecursionError):
            raise self.bad_answer() from None

    def _clean(self, body: bytes) -> Iterator[Hit]:
        for hit in self.hits(self.read(body)):
            url = plain(hit.url, 2000)
            if url.lower().startswith(("http://", "https://")):
                title = plain(hit.title, 300) or url
                yield Hit(title=title, url=url, snippet=plain(hit.snippet, 500))


def records(answer: Any, *path: str) -> list[Mapping[str, Any]]:
    """Return the list of objects at a path; what is missing or null counts as empty.

    Raises:
        ValueError: Something else stands there.
    """
    for key in path:
        if not isinstance(answer, Mapping):
            raise ValueError(f"no object that could have {key!r}")
        answer = answer.get(key)
        if answer is None:
            return []
    if not isinstance(answer, list):
        raise ValueError("no list")
    return [one for one in answer if isinstance(one, Mapping)]


def text(record: Mapping[str, Any], *names: str) -> str:
    """Return the first of some fields that holds text; empty when none does."""
    return next((v for v in map(record.get, names) if isinstance(v, str) and v.strip()), "")
