"""DuckDuckGo: the HTML pages that it offers to browsers without scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from nanobot.context import PluginContext
from nanobot.errors import ToolError
from nanobot_tool_web.api import Ask
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import NO_WISHES, Hit, Wishes
from nanobot_tool_web.vendor import Vendor

from nanobot_search_duckduckgo.page import Page

USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_REGIONS = {
    "cs": "cz-cs",
    "da": "dk-da",
    "el": "gr-el",
    "en": "us-en",
    "he": "il-he",
    "ja": "jp-jp",
    "ko": "kr-kr",
    "pt": "br-pt",
    "sv": "se-sv",
    "uk": "ua-uk",
    "zh": "cn-zh",
}


class DuckDuckGo(Vendor):
    """DuckDuckGo; one search at a time, as a person would."""

    title = "DuckDuckGo"
    base_url = "https://html.duckduckgo.com"
    needs_key = False

    def __init__(self, config: EngineConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._one_by_one = asyncio.Lock()

    async def search(
        self, query: str, *, count: int, wishes: Wishes = NO_WISHES
    ) -> tuple[Hit, ...]:
        async with self._one_by_one:
            return await super().search(query, count=count, wishes=wishes)

    def ask(self, query: str, count: int, wishes: Wishes, key: str) -> Ask:
        form = {"q": query, "b": ""}
        if wishes.time_range:
            dates = ".." in wishes.time_range
            form["df"] = wishes.time_range if dates else wishes.time_range[0]
        if wishes.language:
            language = wishes.language
            form["kl"] = _REGIONS.get(language, f"{language}-{language}")
        return Ask(path="/html/", form=form, headers={"User-Agent": USER_AGENT})

    def read(self, body: bytes) -> Page:
        page = Page(body.decode("utf-8", "replace"))
        if page.is_challenge:
            raise ToolError(
                f"{self.title} takes this machine for a robot; try again later, or use another "
                "search engine.",
                kind="rate_limited",
                retryable=True,
            )
        if not page.is_list:
            raise ValueError("no page of results")
        return page

    def hits(self, answer: Any) -> Iterable[Hit]:
        assert isinstance(answer, Page)
        return answer.hits

    def is_limited(self, status: int, body: bytes) -> bool:
        return super().is_limited(status, body) or (status == 202 and b"anomaly" in body)

    def hint(self, status: int, body: bytes) -> str:
        return "Another search engine can be chosen in tools.web.search.provider."


@asynccontextmanager
async def open_search(config: EngineConfig, context: PluginContext) -> AsyncIterator[DuckDuckGo]:
    """Open the engine."""
    async with DuckDuckGo(config, context) as engine:
        yield engine
