"""Kagi: https://help.kagi.com/kagi/api/search.html."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from nanobot.context import PluginContext
from nanobot_tool_web.api import Ask
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Hit, Wishes
from nanobot_tool_web.vendor import Vendor, records, text


class Kagi(Vendor):
    """Kagi."""

    title = "Kagi"
    base_url = "https://kagi.com"
    env_keys = ("KAGI_API_KEY",)

    def ask(self, query: str, count: int, wishes: Wishes, key: str) -> Ask:
        body = {"query": query, "limit": count}
        return Ask(path="/api/v1/search", body=body, headers={"Authorization": f"Bearer {key}"})

    def hits(self, answer: Any) -> Iterable[Hit]:
        data = answer.get("data") if isinstance(answer, dict) else None
        path = ("data", "search") if isinstance(data, dict) else ("data",)
        for one in records(answer, *path):  # a plain list holds related searches too, without URL
            yield Hit(title=text(one, "title"), url=text(one, "url"), snippet=text(one, "snippet"))


@asynccontextmanager
async def open_search(config: EngineConfig, context: PluginContext) -> AsyncIterator[Kagi]:
    """Open the engine."""
    async with Kagi(config, context) as engine:
        yield engine
