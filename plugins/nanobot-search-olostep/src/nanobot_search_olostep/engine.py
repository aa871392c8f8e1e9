"""Olostep: https://docs.olostep.com/api-reference/searches/create."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from nanobot.context import PluginContext
from nanobot_tool_web.api import Ask
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Hit, Wishes
from nanobot_tool_web.vendor import Vendor, records, text


class Olostep(Vendor):
    """Olostep."""

    title = "Olostep"
    base_url = "https://api.olostep.com"
    env_keys = ("OLOSTEP_API_KEY",)

    def ask(self, query: str, count: int, wishes: Wishes, key: str) -> Ask:
        body = {"query": query, "limit": count}
        return Ask(path="/v1/searches", body=body, headers={"Authorization": f"Bearer {key}"})

    def hits(self, answer: Any) -> Iterable[Hit]:
        for one in records(answer, "result", "links"):
            snippet = text(one, "description", "markdown_content")
            yield Hit(title=text(one, "title"), url=text(one, "url"), snippet=snippet)


@asynccontextmanager
async def open_search(config: EngineConfig, context: PluginContext) -> AsyncIterator[Olostep]:
    """Open the engine."""
    async with Olostep(config, context) as engine:
        yield engine
