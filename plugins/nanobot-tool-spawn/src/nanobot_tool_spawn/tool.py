"""The tool ``spawn``: hands work on to a subagent."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from nanobot.context import PluginContext
from nanobot.desk import Desk, Task
from nanobot.errors import ToolError
from nanobot.messages import ToolResult, Trust, Turn
from nanobot.profile import Profile
from nanobot.tool import ToolRequest

from nanobot_tool_spawn.config import SpawnConfig

MAX_TASK = 50_000
MAX_LABEL = 80
TURNS_KNOWN = 256


class SpawnTool:
    """Implements `nanobot.tool.Tool`.

    Args:
        desk: Has the work done.
        most: Subagents that one turn may send out.
    """

    def __init__(self, desk: Desk, most: int) -> None:
        self._desk = desk
        self._most = most
        self._sent: OrderedDict[str, set[str]] = OrderedDict()

    async def call(self, request: ToolRequest, turn: Turn) -> ToolResult:
        """Hand one piece of work on; tell its result if that is here already."""
        if request.name != "spawn":
            return ToolResult.error("unknown_tool", f"there is no tool '{request.name}' here")
        given = request.arguments
        text = str(given.get("task", "")).strip()
        if not text or len(text) > MAX_TASK:
            raise ToolError(
                f"'task' must be a text of up to {MAX_TASK} characters.", kind="bad_argument"
            )
        label = " ".join(str(given.get("label", "")).split())[:MAX_LABEL]
        profile = self._profile(given)
        task = Task(id=_id(request, turn), turn=turn, text=text, profile=profile, label=label)
        self._count(turn, task)
        wait = given.get("wait") is True
        result = await self._desk.delegate(task, wait=wait)
        if result:  # where nothing outlives the turn it is done at once, waited for or not
            return ToolResult.ok(result, trust=Trust.UNTRUSTED)
        if wait:
            return ToolResult.ok("The subagent ended without saying anything.")
        called = f" “{label}”" if label else ""
        return ToolResult.ok(
            f"The subagent{called} is at work. Its result will come as a message; do not wait for "
            "it and do not do its work."
        )

    def _profile(self, given: Mapping[str, object]) -> Profile:
        profiles = self._desk.profiles()
        name = str(given.get("profile", "")).strip()
        if not name or name in profiles:
            return profiles.get(name, Profile(name="subagent"))
        known = sorted(filter(None, profiles))
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        meant = f" Did you mean {near[0]}?" if near else ""
        raise ToolError(
            f"There is no profile {name[:80]!r}.{meant} Profiles: {', '.join(known) or 'none'}; "
            "leave it out for the usual subagent.",
            kind="not_found",
            target=name[:80],
        )

    def _count(self, turn: Turn, task: Task) -> None:
        """Refuse what is more than a turn may hand on; the same again is not more."""
        sent = self._sent.setdefault(turn.id, set())
        if task.id not in sent and len(sent) >= self._most:
            raise ToolError(
                f"This turn has sent out {self._most} subagents; that is the limit "
                "(tools.spawn.maxPerTurn).",
                kind="too_many",
            )
        sent.add(task.id)
        while len(self._sent) > TURNS_KNOWN:
            self._sent.popitem(last=False)


def _id(request: ToolRequest, turn: Turn) -> str:
    """Return what names a call across restarts; vendors may use an id of a call twice in a turn."""
    said = json.dumps(dict(request.arguments), sort_keys=True, default=str)
    return f"{turn.id}:{request.call_id}:{hashlib.sha256(said.encode()).hexdigest()[:12]}"


@asynccontextmanager
async def open_tool(config: SpawnConfig, context: PluginContext) -> AsyncIterator[SpawnTool]:
    """Open the tool."""
    yield SpawnTool(context.desk, config.max_per_turn)
