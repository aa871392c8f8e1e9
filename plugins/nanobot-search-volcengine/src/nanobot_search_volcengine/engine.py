"""Volcengine: https://www.volcengine.com/docs/85508/1650263."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from nanobot.context import PluginContext
from nanobot.errors import ToolError
from nanobot_tool_web.api import Ask
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Hit, Wishes
from nanobot_tool_web.plain import plain
from nanobot_tool_web.vendor import Vendor, records, text

_RANGES = {"day": "OneDay", "week": "OneWeek", "month": "OneMonth", "year": "OneYear"}
_KINDS = {
    "auth": "unauthorized",
    "apikey": "unauthorized",
    "accessdenied": "unauthorized",
    "flowlimit": "rate_limited",
    "ratelimit": "rate_limited",
    "quota": "quota",
}


class Volcengine(Vendor):
    """Volcengine."""

    title = "Volcengine"
    base_url = "https://open.feedcoopapi.com"
    env_keys = ("VOLCENGINE_SEARCH_API_KEY", "WEB_SEARCH_API_KEY")

    def ask(self, query: str, count: int, wishes: Wishes, key: str) -> Ask:
        body: dict[str, object] = {
            "Query": query,
            "SearchType": "web",
            "Count": count,
            "NeedSummary": True,
            "Filter": {"AuthInfoLevel": wishes.auth_level},
            "QueryControl": {"QueryRewrite": wishes.query_rewrite},
        }
        if wishes.time_range:
            body["TimeRange"] = _RANGES.get(wishes.time_range, wishes.time_range)
        headers = {"Authorization": f"Bearer {key}", "X-Traffic-Tag": "nanobot"}
        return Ask(path="/search_api/web_search", body=body, headers=headers)

    def hits(self, answer: Any) -> Iterable[Hit]:
        _check(self.title, answer)
        for one in records(answer, "Result", "WebResults"):
            snippet = text(one, "Summary", "Snippet")
            yield Hit(title=text(one, "Title"), url=text(one, "Url"), snippet=snippet)


def _check(title: str, answer: Any) -> None:
    """Raise what an answer says went wrong; its status may be 200 all the same."""
    metadata = answer.get("ResponseMetadata") if isinstance(answer, dict) else None
    error = metadata.get("Error") if isinstance(metadata, dict) else None
    if not isinstance(error, dict):
        return
    code = text(error, "Code") or "no code"
    kind = next((kind for part, kind in _KINDS.items() if part in code.lower()), "bad_answer")
    raise ToolError(
        f"{title} reports {plain(code, 60)}.", kind=kind, retryable=kind == "rate_limited"
    )


@asynccontextmanager
async def open_search(config: EngineConfig, context: PluginContext) -> AsyncIterator[Volcengine]:
    """Open the engine."""
    async with Volcengine(config, context) as engine:
        yield engine
