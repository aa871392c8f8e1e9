"""The tool ``my``: what the agent may know of itself, and its notes of a conversation."""

from __future__ import annotations

import asyncio
import difflib
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

from nanobot.context import PluginContext
from nanobot.desk import Desk
from nanobot.errors import ToolError
from nanobot.messages import Text, ToolResult, Trust, Turn
from nanobot.tool import ToolRequest

from nanobot_tool_my.config import MyConfig
from nanobot_tool_my.scratchpad import Scratchpads

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_SECRETS = {
    "apikey",
    "auth",
    "credential",
    "credentials",
    "passphrase",
    "password",
    "secret",
    "token",
}
_KEYS = {("api", "key"), ("private", "key"), ("access", "key")}
NOTES = "scratchpad"
_MODEL = ("model", "model_preset", "model_presets", "provider")


class MyTool:
    """Implements `nanobot.tool.Tool`.

    Args:
        desk: Knows the facts.
        notes: Keeps the notes.
        may_set: The user allows them.
    """

    def __init__(self, desk: Desk, notes: Scratchpads, may_set: bool) -> None:
        self._desk = desk
        self._notes = notes
        self._may_set = may_set

    async def call(self, request: ToolRequest, turn: Turn) -> ToolResult:
        """Show, or keep a note."""
        if request.name != "my":
            return ToolResult.error("unknown_tool", f"there is no tool '{request.name}' here")
        given = request.arguments
        key = str(given.get("key", "")).strip()
        if key and _is_secret(key):
            return ToolResult.error("not_allowed", "Secrets are neither shown nor kept.")
        if given.get("action") == "check":
            return await self._check(key, turn)
        if given.get("action") == "set":
            return await self._set(key, given, turn)
        return ToolResult.error("bad_argument", "'action' must be check or set.")

    async def _check(self, key: str, turn: Turn) -> ToolResult:
        facts = self._facts(turn)
        notes = await asyncio.to_thread(self._notes.read, turn.scope)
        if not key:
            lines = "\n".join(f"{name}: {value}" for name, value in facts.items())
            kept = Text(text=f"{NOTES}: {_json(notes)}", trust=Trust.UNTRUSTED)
            return ToolResult.ok(lines, kept)
        if key in facts:
            return ToolResult.ok(facts[key])
        if key == NOTES or key.startswith(f"{NOTES}."):
            found = _follow(notes, key.removeprefix(NOTES).removeprefix("."))
            return ToolResult.ok(_json(found), trust=Trust.UNTRUSTED)
        if key in notes:
            return ToolResult.ok(_json(notes[key]), trust=Trust.UNTRUSTED)
        raise _unknown(key, [*facts, *notes, NOTES])

    async def _set(self, key: str, given: Mapping[str, object], turn: Turn) -> ToolResult:
        name = key.removeprefix(f"{NOTES}.")
        if not name or name == NOTES:
            raise ToolError("'key' must name the note.", kind="bad_argument")
        if name in _MODEL:
            presets = self._desk.facts(turn.scope).get("model_presets", "")
            return ToolResult.error(
                "not_allowed",
                "You can not change your model. Ask the user to type /model NAME"
                + (f" with one of: {presets}." if presets else "; no presets are configured."),
            )
        if name in self._facts(turn):
            return ToolResult.error(
                "not_allowed", f"{name} is set in the configuration, by the user."
            )
        if not self._may_set:
            return ToolResult.error(
                "not_allowed", "Keeping notes is off; the user can set tools.my.allowSet to true."
            )
        value = given.get("value")
        await asyncio.to_thread(self._notes.set, turn.scope, name, value)
        return ToolResult.ok("Removed." if value is None else f"Kept as {NOTES}.{name}.")

    def _facts(self, turn: Turn) -> dict[str, str]:
        who = turn.scope.principal
        facts = {k: v for k, v in self._desk.facts(turn.scope).items() if not _is_secret(k)}
        return facts | {
            "request.channel": turn.target.channel,
            "request.chat_id": turn.target.chat,
            "request.sender_id": who.user,
            "request.role": str(who.role),
            "request.origin": str(turn.origin),
            "request.session_key": turn.scope.session_key,
            "request.profile": turn.profile,
        }


def _is_secret(name: str) -> bool:
    """Tell whether a name may be that of a secret; ``max_tokens`` and ``author`` are none."""
    words = [word.lower() for word in _WORDS.findall(name)]
    return not _SECRETS.isdisjoint(words) or not _KEYS.isdisjoint(pairwise(words))


def _follow(notes: Mapping[str, Any], path: str) -> Any:
    """Return what a dotted path leads to; a name that holds dots itself goes before."""
    found: Any = notes
    rest = path
    while rest:
        if isinstance(found, Mapping) and rest in found:
            return found[rest]
        name, _, rest = rest.partition(".")
        if isinstance(found, Mapping) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            raise _unknown(path, list(map(str, notes)))
    return found


def _unknown(key: str, known: list[str]) -> ToolError:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    meant = f" Did you mean {near[0]}?" if near else ""
    return ToolError(
        f"There is nothing called {key[:80]!r}.{meant} 'check' without a key shows all.",
        kind="not_found",
        target=key[:80],
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


@asynccontextmanager
async def open_tool(config: MyConfig, context: PluginContext) -> AsyncIterator[MyTool]:
    """Open the tool."""
    yield MyTool(context.desk, Scratchpads(context.data), config.allow_set)
