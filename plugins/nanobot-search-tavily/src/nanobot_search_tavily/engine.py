"""Tavily: https://docs.tavily.com/documentation/api-reference/endpoint/search."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from nanobot.context import PluginContext
from nanobot_tool_web.api import Ask
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Hit, Wishes
from nanobot_tool_web.vendor import Vendor, records, text


class Tavily(Vendor):
    """Tavily."""

    title = "Tavily"
    base_url = "https://api.tavily.com"
    env_keys = ("TAVILY_API_KEY",)

    def ask(self, query: str, count: int, wishes: Wishes, key: str) -> Ask:
        body: dict[str, object] = {"query": query, "max_results": count}
        if ".." in wishes.time_range:
            body["start_date"], body["end_date"] = self.dates(wishes)
        elif wishes.time_range:
            body["time_range"] = wishes.time_range
        return Ask(path="/search", body=body, headers={"Authorization": f"Bearer {key}"})

    def hits(self, answer: Any) -> Iterable[Hit]:
        for one in records(answer, "results"):
            yield Hit(title=text(one, "title"), url=text(one, "url"), snippet=text(one, "content"))


@asynccontextmanager
async def open_search(config: EngineConfig, context: PluginContext) -> AsyncIterator[Tavily]:
    """Open the engine."""
    async with Tavily(config, context) as engine:
        yield engine
