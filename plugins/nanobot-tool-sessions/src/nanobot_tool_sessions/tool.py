"""The tools that look back: what the host lets this principal see, in small pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from nanobot.command import HistoryEntry
from nanobot.context import PluginContext
from nanobot.desk import Desk, SessionInfo
from nanobot.errors import ToolError
from nanobot.messages import ToolResult, Trust, Turn
from nanobot.tool import ToolRequest

from nanobot_tool_sessions.config import SessionsConfig

LISTED = 20
MOST_LISTED = 50
MOST_HITS = 5
EXCERPT_CHARS = 360
MOST_READ = 8
MESSAGE_CHARS = 4000
MAX_QUERY = 500
LAST_CHARS = 120


class SessionTools:
    """Implements `nanobot.tool.Tool`.

    Args:
        desk: Knows the sessions, and who may see which.
        depth: How many of them a search looks into.
    """

    def __init__(self, desk: Desk, depth: int) -> None:
        self._desk = desk
        self._depth = depth
        self._works = {
            "list_sessions": self._list,
            "search_sessions": self._search,
            "read_session": self._read,
        }

    async def call(self, request: ToolRequest, turn: Turn) -> ToolResult:
        """Look back; what was said once is data, not an instruction."""
        work = self._works.get(request.name)
        if work is None:
            return ToolResult.error("unknown_tool", f"there is no tool '{request.name}' here")
        return ToolResult.ok(await work(request.arguments, turn), trust=Trust.UNTRUSTED)

    async def _list(self, given: Mapping[str, object], turn: Turn) -> str:
        limit = _number(given, "limit", LISTED)
        sessions = await self._desk.sessions(turn.scope)
        shown = [_line(one, turn) for one in sessions[: min(limit, MOST_LISTED)]]
        if len(sessions) > len(shown):
            shown.append(f"({len(sessions) - len(shown)} older ones are not shown.)")
        return "\n".join(shown) or "There are no earlier conversations."

    async def _search(self, given: Mapping[str, object], turn: Turn) -> str:
        words = _words(given, required=True)
        hits: list[str] = []
        sessions = await self._desk.sessions(turn.scope)
        for session in sessions[: self._depth]:
            for number, entry in reversed(await self._entries(session.key, turn)):
                if _matches(entry, words):
                    text = _excerpt(entry.text, words[0])
                    hits.append(f"{session.key} [{number}] {entry.role}: {text}")
                    if len(hits) == MOST_HITS:
                        return "\n".join([*hits, "(There may be more; search for more words.)"])
        left = len(sessions) - self._depth
        note = f" ({left} older conversations were not searched.)" if left > 0 else ""
        return "\n".join(hits) + note if hits else f"Nothing was found.{note}"

    async def _read(self, given: Mapping[str, object], turn: Turn) -> str:
        key = str(given.get("session_key", "")).strip().removeprefix("@")
        if not key:
            raise ToolError("'session_key' is empty: name a session.", kind="bad_argument")
        words = _words(given)
        entries = list(enumerate(await self._desk.recall(turn.scope, key), 1))
        before = _number(given, "before", len(entries) + 1)
        found = [(n, entry) for n, entry in entries if n < before and _matches(entry, words)]
        if not found:
            return "There are no such messages." if entries else "Nothing was said there."
        shown = found[-MOST_READ:]
        lines = [f"[{n}] {entry.role}: {_cut(entry.text, MESSAGE_CHARS)}" for n, entry in shown]
        if len(found) > len(shown):
            lines.insert(0, f"(Earlier ones: call again with before={shown[0][0]}.)")
        return "\n\n".join(lines)

    async def _entries(self, key: str, turn: Turn) -> Sequence[tuple[int, HistoryEntry]]:
        """Return what was said in a session, numbered; nothing if it is gone by now."""
        try:
            return list(enumerate(await self._desk.recall(turn.scope, key), 1))
        except ToolError:
            return ()


def _line(session: SessionInfo, turn: Turn) -> str:
    here = ", this one" if session.key == turn.scope.session_key else ""
    turns = "1 turn" if session.turns == 1 else f"{session.turns} turns"
    when = session.changed_at.astimezone(turn.now.tzinfo)
    last = f": {_cut(session.last, LAST_CHARS)}" if session.last else ""
    return f"{session.key} ({turns}, {when:%Y-%m-%d %H:%M}{here}){last}"


def _words(given: Mapping[str, object], *, required: bool = False) -> list[str]:
    query = str(given.get("query", ""))
    words = query.casefold().split()
    if len(query) > MAX_QUERY or (required and not words):
        raise ToolError(
            f"'query' must be words of up to {MAX_QUERY} characters.", kind="bad_argument"
        )
    return words


def _number(given: Mapping[str, object], name: str, default: int) -> int:
    value = given.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ToolError(f"'{name}' must be a number from 1 on.", kind="bad_argument")
    return value


def _matches(entry: HistoryEntry, words: Sequence[str]) -> bool:
    text = entry.text.casefold()
    return all(word in text for word in words)


def _excerpt(text: str, word: str) -> str:
    """Return some of a text around a word."""
    flat = " ".join(text.split())
    start = max(flat.casefold().find(word) - EXCERPT_CHARS // 3, 0)
    return ("… " if start else "") + _cut(flat[start:], EXCERPT_CHARS)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} …"


@asynccontextmanager
async def open_tool(config: SessionsConfig, context: PluginContext) -> AsyncIterator[SessionTools]:
    """Open the tools."""
    yield SessionTools(context.desk, config.search_depth)
