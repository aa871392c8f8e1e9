"""Jina: https://jina.ai/reader."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from nanobot.context import PluginContext
from nanobot_tool_web.api import Ask
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Hit, Wishes
from nanobot_tool_web.vendor import Vendor, records, text


class Jina(Vendor):
    """Jina."""

    title = "Jina"
    base_url = "https://s.jina.ai"
    env_keys = ("JINA_API_KEY",)

    def ask(self, query: str, count: int, wishes: Wishes, key: str) -> Ask:
        params = {"q": query, "num": str(count)}
        if wishes.language:
            params["hl"] = wishes.language
        headers = {
            "Authorization": f"Bearer {key}",
            "Accept": "application/json",
            "X-Respond-With": "no-content",
        }
        return Ask(path="/", params=params, headers=headers)

    def hits(self, answer: Any) -> Iterable[Hit]:
        for one in records(answer, "data"):
            snippet = text(one, "description", "content")
            yield Hit(title=text(one, "title"), url=text(one, "url"), snippet=snippet)


@asynccontextmanager
async def open_search(config: EngineConfig, context: PluginContext) -> AsyncIterator[Jina]:
    """Open the engine."""
    async with Jina(config, context) as engine:
        yield engine
