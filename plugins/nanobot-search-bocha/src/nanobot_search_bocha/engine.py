"""Bocha: https://open.bochaai.com/."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from nanobot.context import PluginContext
from nanobot_tool_web.api import Ask
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Hit, Wishes
from nanobot_tool_web.vendor import Vendor, records, text

_FRESHNESS = {"day": "oneDay", "week": "oneWeek", "month": "oneMonth", "year": "oneYear"}


class Bocha(Vendor):
    """Bocha."""

    title = "Bocha"
    base_url = "https://api.bochaai.com"
    env_keys = ("BOCHA_API_KEY",)

    def ask(self, query: str, count: int, wishes: Wishes, key: str) -> Ask:
        freshness = _FRESHNESS.get(wishes.time_range, wishes.time_range) or "noLimit"
        body = {"query": query, "freshness": freshness, "summary": True, "count": count}
        return Ask(path="/v1/web-search", body=body, headers={"Authorization": f"Bearer {key}"})

    def hits(self, answer: Any) -> Iterable[Hit]:
        for one in records(answer, "data", "webPages", "value"):
            snippet = text(one, "summary", "snippet")
            yield Hit(title=text(one, "name"), url=text(one, "url"), snippet=snippet)


@asynccontextmanager
async def open_search(config: EngineConfig, context: PluginContext) -> AsyncIterator[Bocha]:
    """Open the engine."""
    async with Bocha(config, context) as engine:
        yield engine
