"""Serper, results of Google: https://serper.dev/playground."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from nanobot.context import PluginContext
from nanobot_tool_web.api import Ask
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Hit, Wishes
from nanobot_tool_web.vendor import Vendor, records, text


class Serper(Vendor):
    """Serper."""

    title = "Serper"
    base_url = "https://google.serper.dev"
    env_keys = ("SERPER_API_KEY",)

    def ask(self, query: str, count: int, wishes: Wishes, key: str) -> Ask:
        body: dict[str, object] = {"q": query, "num": count}
        if wishes.language:
            body["hl"] = wishes.language
        if ".." in wishes.time_range:
            first, last = (_american(day) for day in self.dates(wishes))
            body["tbs"] = f"cdr:1,cd_min:{first},cd_max:{last}"
        elif wishes.time_range:
            body["tbs"] = f"qdr:{wishes.time_range[0]}"
        return Ask(path="/search", body=body, headers={"X-API-KEY": key})

    def hits(self, answer: Any) -> Iterable[Hit]:
        for one in records(answer, "organic"):
            yield Hit(title=text(one, "title"), url=text(one, "link"), snippet=text(one, "snippet"))


def _american(day: str) -> str:
    """Return a day as Google's filter wants it, ``1/31/2026``."""
    year, month, number = day.split("-")
    return f"{int(month)}/{int(number)}/{year}"


@asynccontextmanager
async def open_search(config: EngineConfig, context: PluginContext) -> AsyncIterator[Serper]:
    """Open the engine."""
    async with Serper(config, context) as engine:
        yield engine
