"""Brave Search: https://api-dashboard.search.brave.com/app/documentation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from nanobot.context import PluginContext
from nanobot_tool_web.api import Ask
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Hit, Wishes
from nanobot_tool_web.vendor import Vendor, records, text

_FRESHNESS = {"day": "pd", "week": "pw", "month": "pm", "year": "py"}


class Brave(Vendor):
    """Brave's web search."""

    title = "Brave Search"
    base_url = "https://api.search.brave.com"
    env_keys = ("BRAVE_API_KEY",)

    def ask(self, query: str, count: int, wishes: Wishes, key: str) -> Ask:
        params = {"q": query, "count": str(count)}
        if wishes.time_range:
            dates = wishes.time_range.replace("..", "to")
            params["freshness"] = _FRESHNESS.get(wishes.time_range, dates)
        if wishes.language:
            params["search_lang"] = wishes.language
        headers = {"X-Subscription-Token": key, "Accept": "application/json"}
        return Ask(path="/res/v1/web/search", params=params, headers=headers)

    def hits(self, answer: Any) -> Iterable[Hit]:
        for one in records(answer, "web", "results"):
            yield Hit(
                title=text(one, "title"), url=text(one, "url"), snippet=text(one, "description")
            )

    def refuses_key(self, status: int, body: bytes) -> bool:
        return super().refuses_key(status, body) or (
            status == 422 and b"SUBSCRIPTION_TOKEN_INVALID" in body
        )


@asynccontextmanager
async def open_search(config: EngineConfig, context: PluginContext) -> AsyncIterator[Brave]:
    """Open the engine."""
    async with Brave(config, context) as engine:
        yield engine
