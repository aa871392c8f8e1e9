"""Runs ``web_search``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from nanobot.context import Extension, PluginContext
from nanobot.errors import ToolError
from nanobot.messages import ToolResult, Trust

from nanobot_tool_web.config import WebConfig
from nanobot_tool_web.engine import Access, Hit, SearchEngine, Wishes
from nanobot_tool_web.lookups import Lookups
from nanobot_tool_web.plain import plain

FALLBACK = "duckduckgo"
_BAD = "bad_argument"
MAX_QUERY = 2000
_RANGES = {
    **{word: word for word in ("day", "week", "month", "year")},
    **{f"one{word}": word for word in ("day", "week", "month", "year")},
    **{"": "", "any": "", "nolimit": ""},
}
_DATES = re.compile(r"(\d{4}-\d\d-\d\d)\.\.(\d{4}-\d\d-\d\d)")
_LANGUAGE = re.compile(r"(?i)([a-z]{2})(?:[-_][a-z]{2,4})?")


class Searching:
    """Searches with the engine of the configuration."""

    def __init__(self, config: WebConfig, context: PluginContext) -> None:
        self._config = config
        self._context = context
        self._lookups: Lookups[str] = Lookups()

    async def run(self, arguments: Mapping[str, object], turn: str) -> ToolResult:
        """Return the results as numbered text, marked as untrusted."""
        query = " ".join(_words(arguments.get("query")).split())
        if not query or len(query) > MAX_QUERY:
            raise ToolError(f"'query' must be a text of 1 to {MAX_QUERY} characters.", kind=_BAD)
        count = arguments.get("count", self._config.search.max_results)
        count = min(max(count if isinstance(count, int) else 1, 1), 10)
        wishes = self._wishes(arguments)

        async def look_up() -> str:
            return await self._search(query, count, wishes)

        text = await self._lookups.once(turn, query.casefold(), f"{count} {wishes}", look_up)
        return ToolResult.ok(text, trust=Trust.UNTRUSTED)

    def _wishes(self, arguments: Mapping[str, object]) -> Wishes:
        settings = self._config.search
        return Wishes(
            time_range=_time_range(_words(arguments.get("timeRange")).strip()),
            language=_language(_words(arguments.get("language")).strip()),
            auth_level=1 if arguments.get("authLevel") == 1 else 0,
            query_rewrite=arguments.get("queryRewrite") is True,
            access=Access(
                api_key=settings.api_key,
                base_url=settings.base_url,
                proxy=self._config.proxy,
                timeout_s=float(settings.timeout),
            ),
        )

    async def _search(self, query: str, count: int, wishes: Wishes) -> str:
        name = self._config.search.provider or "brave"
        engines = self._context.extensions("search")
        try:
            return _listed(query, await _ask(_chosen(engines, name), query, count, wishes))
        except ToolError as error:
            if error.kind != "no_key" or name == FALLBACK:
                raise
            if FALLBACK not in engines:
                raise ToolError(
                    f"{error.message} Or install an engine that needs none: "
                    f"pip install nanobot-search-{FALLBACK}",
                    kind="no_key",
                ) from None
            self._context.log.warning("search_fell_back", engine=name, used=FALLBACK)
            note = f"(Searched with {FALLBACK}: {error.message})\n"
        access = replace(wishes.access, api_key=None, base_url=None)  # which are another engine's
        hits = await _ask(engines[FALLBACK], query, count, replace(wishes, access=access))
        return note + _listed(query, hits)


async def _ask(extension: Extension, query: str, count: int, wishes: Wishes) -> tuple[Hit, ...]:
    async with extension.open() as opened:
        engine: SearchEngine = opened
        return await engine.search(query, count=count, wishes=wishes)


def _chosen(engines: Mapping[str, Extension], name: str) -> Extension:
    found = engines.get(name.replace("-", "_"))
    if found is None:
        slug = plain(name, 60).replace("_", "-")
        usable = f" Usable are: {', '.join(sorted(engines))}." if engines else ""
        raise ToolError(
            f"The search engine {slug!r} of tools.web.search.provider can not be used.{usable} "
            f"To add it: pip install nanobot-search-{slug}. If it is installed, see: nanobot "
            "config check",
            kind="no_engine",
        )
    return found


def _listed(query: str, hits: tuple[Hit, ...]) -> str:
    if not hits:
        return f"No results for: {query}"
    lines = [f"Results for: {query}", ""]
    for number, hit in enumerate(hits, 1):
        lines += [f"{number}. {hit.title}", f"   {hit.url}"]
        lines += [f"   {hit.snippet}"] if hit.snippet else []
    return "\n".join(lines)


def _words(value: object) -> str:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _time_range(text: str) -> str:
    known = _RANGES.get(text.lower())
    if known is not None:
        return known
    found = _DATES.fullmatch(text)
    try:
        if found and date.fromisoformat(found[1]) <= date.fromisoformat(found[2]):
            return text
    except ValueError:
        pass
    raise ToolError(
        "'timeRange' must be day, week, month, year, or two dates as 2026-01-01..2026-01-31.",
        kind=_BAD,
    )


def _language(text: str) -> str:
    found = _LANGUAGE.fullmatch(text)
    if text and not found:
        raise ToolError("'language' must be two letters, such as en or de.", kind=_BAD)
    return found[1].lower() if found else ""
