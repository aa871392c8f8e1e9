"""The contract of a search engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from nanobot.config import Secret


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """One result.

    Args:
        title: Plain text, without markup.
        url: http or https.
        snippet: Plain text, may be empty.
    """

    title: str
    url: str
    snippet: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """How to reach the chosen engine, from ``tools.web``; its own section goes before.

    Args:
        api_key: Its key.
        base_url: Base URL in place of its own.
        proxy: Proxy URL.
        timeout_s: Seconds for the whole search.
    """

    api_key: Secret | None = None
    base_url: str | None = None
    proxy: str | None = None
    timeout_s: float = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What a search may ask for beside its words; an engine passes over what it does not know.

    Args:
        time_range: ``day``, ``week``, ``month``, ``year``, or two dates as
            ``2026-01-01..2026-01-31``; empty for any time.
        language: Two letters, such as ``de``; empty for any.
        auth_level: 1 for authoritative sources only.
        query_rewrite: Let the engine put the words better.
        access: How to reach it.
    """

    time_range: str = ""
    language: str = ""
    auth_level: int = 0
    query_rewrite: bool = False
    access: Access = Access()


NO_WISHES = Wishes()


class SearchEngine(Protocol):
    """What a plugin of kind ``search`` opens."""

    async def search(
        self, query: str, *, count: int, wishes: Wishes = NO_WISHES
    ) -> tuple[Hit, ...]:
        """Return at most ``count`` results, the best first; none when there are none.

        Raises:
            nanobot.errors.ToolError: kind ``no_key`` when the engine needs a key and has none (the
                tool then uses another one), ``unauthorized``, ``rate_limited``, ``unavailable``,
                ``timeout``, ``bad_answer`` or ``bad_argument``.
        """
        ...
