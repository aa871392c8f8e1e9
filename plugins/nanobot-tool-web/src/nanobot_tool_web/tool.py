"""Opens the web tools."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nanobot.context import PluginContext
from nanobot.messages import ToolResult, Turn
from nanobot.tool import ToolRequest
from nanobot_egress import Egress, load_tls
from nanobot_egress.fetch import USER_AGENT

from nanobot_tool_web.config import WebConfig
from nanobot_tool_web.fetching import Fetching
from nanobot_tool_web.searching import Searching


class WebTools:
    """Serves ``web_search`` and ``web_fetch``."""

    def __init__(self, searching: Searching, fetching: Fetching) -> None:
        self._works = {"web_search": searching.run, "web_fetch": fetching.run}

    async def call(self, request: ToolRequest, turn: Turn) -> ToolResult:
        """Run one call."""
        work = self._works.get(request.name)
        if work is None:
            return ToolResult.error("unknown_tool", f"There is no web tool {request.name!r}.")
        return await work(request.arguments, turn.id)


@asynccontextmanager
async def open_tool(config: WebConfig, context: PluginContext) -> AsyncIterator[WebTools]:
    """Open the web tools."""
    user_agent = config.user_agent or USER_AGENT
    async with Egress(
        context.network, proxy=config.proxy, user_agent=user_agent, tls=await load_tls()
    ) as egress:
        yield WebTools(Searching(config, context), Fetching(config, context, egress))
