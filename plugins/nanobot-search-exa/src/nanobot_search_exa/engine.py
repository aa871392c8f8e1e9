"""Exa: https://docs.exa.ai/reference/search."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from nanobot.context import PluginContext
from nanobot_tool_web.api import Ask
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Hit, Wishes
from nanobot_tool_web.vendor import Vendor, records, text


class Exa(Vendor):
    """Exa."""

    title = "Exa"
    base_url = "https://api.exa.ai"
    env_keys = ("EXA_API_KEY",)

    def ask(self, query: str, count: int, wishes: Wishes, key: str) -> Ask:
        body: dict[str, object] = {
            "query": query,
            "numResults": count,
            "contents": {"highlights": True},
        }
        first, last = self.dates(wishes)
        if first:
            body["startPublishedDate"] = f"{first}T00:00:00.000Z"
            body["endPublishedDate"] = f"{last}T23:59:59.999Z"
        return Ask(path="/search", body=body, headers={"x-api-key": key})

    def hits(self, answer: Any) -> Iterable[Hit]:
        for one in records(answer, "results"):
            highlights = one.get("highlights")
            pieces = highlights if isinstance(highlights, list) else []
            snippet = " … ".join(piece for piece in pieces if isinstance(piece, str))
            snippet = snippet or text(one, "summary", "text")
            yield Hit(title=text(one, "title"), url=text(one, "url"), snippet=snippet)


@asynccontextmanager
async def open_search(config: EngineConfig, context: PluginContext) -> AsyncIterator[Exa]:
    """Open the engine."""
    async with Exa(config, context) as engine:
        yield engine
