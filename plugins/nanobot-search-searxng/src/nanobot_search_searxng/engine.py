"""SearXNG: https://docs.searxng.org/dev/search_api.html."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from nanobot.context import PluginContext
from nanobot_tool_web.api import Ask
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Hit, Wishes
from nanobot_tool_web.vendor import Vendor, records, text


class Searxng(Vendor):
    """SearXNG."""

    title = "SearXNG"
    base_env = "SEARXNG_BASE_URL"
    needs_key = False

    def ask(self, query: str, count: int, wishes: Wishes, key: str) -> Ask:
        params = {"q": query, "format": "json"}
        if wishes.time_range in ("day", "week", "month", "year"):
            params["time_range"] = wishes.time_range
        if wishes.language:
            params["language"] = wishes.language
        return Ask(path="/search", params=params)

    def hits(self, answer: Any) -> Iterable[Hit]:
        for one in records(answer, "results"):
            yield Hit(title=text(one, "title"), url=text(one, "url"), snippet=text(one, "content"))

    def hint(self, status: int, body: bytes) -> str:
        return "Allow the format json in the instance's settings.yml." if status == 403 else ""


@asynccontextmanager
async def open_search(config: EngineConfig, context: PluginContext) -> AsyncIterator[Searxng]:
    """Open the engine."""
    async with Searxng(config, context) as engine:
        yield engine
