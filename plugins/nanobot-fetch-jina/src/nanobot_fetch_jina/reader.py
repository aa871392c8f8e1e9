"""Jina Reader: https://jina.ai/reader."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nanobot.context import PluginContext
from nanobot_tool_web.api import Api, Ask
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Access
from nanobot_tool_web.reader import Mode, Readout
from nanobot_tool_web.vendor import text

DEADLINE_S = 20.0


class Jina(Api):
    """Reads a page from elsewhere, by its address."""

    title = "Jina Reader"
    base_url = "https://r.jina.ai"
    env_keys = ("JINA_API_KEY",)
    needs_key = False

    async def read(
        self,
        url: str,
        *,
        body: bytes = b"",
        media_type: str = "",
        mode: Mode = "markdown",
        proxy: str | None = None,
    ) -> Readout:
        """Return what the page at an address says."""
        access = Access(proxy=proxy)
        key = self.key(access)
        headers = {"Accept": "application/json", "X-Return-Format": mode}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        ask = Ask(path="/", body={"url": url}, headers=headers)
        try:
            async with asyncio.timeout(DEADLINE_S):
                answer = await self.call(ask, access)
        except TimeoutError:
            raise self.too_slow() from None
        try:
            data = json.loads(answer)["data"]
            title = " ".join(text(data, "title").split())
            content = text(data, "text", "content") if mode == "text" else text(data, "content")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise self.bad_answer() from None
        if not content:
            raise self.bad_answer()
        if title and title not in content[: len(title) + 200]:
            content = (f"# {title}\n\n" if mode == "markdown" else f"{title}\n\n") + content
        return Readout(text=content, extractor="jina")


@asynccontextmanager
async def open_fetch(config: EngineConfig, context: PluginContext) -> AsyncIterator[Jina]:
    """Open the reader."""
    async with Jina(config, context) as reader:
        yield reader
