"""Keenable: https://docs.keenable.ai/."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from nanobot.context import PluginContext
from nanobot_tool_web.api import Ask
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Hit, Wishes
from nanobot_tool_web.vendor import Vendor, records, text


class Keenable(Vendor):
    """Keenable."""

    title = "Keenable"
    base_url = "https://api.keenable.ai"
    env_keys = ("KEENABLE_API_KEY",)
    needs_key = False

    def ask(self, query: str, count: int, wishes: Wishes, key: str) -> Ask:
        body: dict[str, object] = {"query": query, "max_results": count}
        first, last = self.dates(wishes)
        if first:
            body |= {"published_after": first, "published_before": last}
        if not key:
            return Ask(path="/v1/search/public", body=body)
        return Ask(path="/v1/search", body=body, headers={"X-API-Key": key})

    def hits(self, answer: Any) -> Iterable[Hit]:
        for one in records(answer, "results"):
            snippet = text(one, "snippet", "description")
            yield Hit(title=text(one, "title"), url=text(one, "url"), snippet=snippet)


@asynccontextmanager
async def open_search(config: EngineConfig, context: PluginContext) -> AsyncIterator[Keenable]:
    """Open the engine."""
    async with Keenable(config, context) as engine:
        yield engine
