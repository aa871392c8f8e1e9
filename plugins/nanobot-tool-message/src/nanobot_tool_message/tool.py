"""The tool ``message``: checks who may write where and send what, and tells what became of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from nanobot.context import PluginContext
from nanobot.desk import Desk, Note
from nanobot.errors import ToolError
from nanobot.messages import Role, Target, ToolResult, Turn
from nanobot.tool import ToolRequest
from nanobot_security import Disk

from nanobot_tool_message.config import MessageConfig

MAX_CHARS = 32_000
MAX_BUTTONS = 24
MAX_LABEL = 64

_BECAME = {
    "sent": "Sent to {place}{files}.",
    "queued": "Not out yet: it waits for {place}{files} and is sent as soon as that is possible. "
    "Do not send it again.",
    "unknown": "It may have arrived at {place}{files}: a crash came while it was being sent. "
    "Tell the user; do not send it again unasked.",
}
_BECAME["sending"] = _BECAME["queued"]


class MessageTool:
    """Implements `nanobot.tool.Tool`.

    Args:
        config: The section ``tools.message``.
        desk: Sends.
    """

    def __init__(self, config: MessageConfig, desk: Desk) -> None:
        self._config = config
        self._desk = desk

    async def call(self, request: ToolRequest, turn: Turn) -> ToolResult:
        """Send one message."""
        given = request.arguments
        if request.name != "message":
            return ToolResult.error("unknown_tool", f"there is no tool '{request.name}' here")
        target = _target(given, turn)
        if target != turn.target and turn.scope.principal.role is not Role.OWNER:
            return ToolResult.error(
                "not_allowed",
                "Only owners may have messages sent to other chats; leave channel and chat_id out.",
                target=_place(target),
            )
        text, media = str(given.get("content", "")), _texts(given, "media")
        buttons = _buttons(given)
        if not text.strip() and not media:
            raise ToolError("'content' is empty: say something.", kind="bad_argument")
        if len(text) > MAX_CHARS:
            raise ToolError(
                f"'content' is longer than {MAX_CHARS} characters: write it to a file and attach "
                "that, or send several messages.",
                kind="bad_argument",
            )
        files = await asyncio.to_thread(self._files, media, turn)
        note = Note(
            id=_id(request, turn),
            turn=turn,
            target=target,
            text=text,
            files=files,
            buttons=buttons,
        )
        return _result(await self._desk.send(note), _place(target), len(files))

    def _files(self, media: Sequence[str], turn: Turn) -> tuple[Path, ...]:
        """Return where files lie that the turn may read; blocks."""
        most, largest = self._config.max_files, self._config.max_file_megabytes
        if len(media) > most:
            raise ToolError(f"At most {most} files go with a message.", kind="bad_argument")
        disk = Disk.of(turn.workspace)
        found = []
        for path in media:
            if "://" in path:
                raise ToolError(
                    "'media' takes paths of files: save what the address holds first.",
                    kind="bad_argument",
                    target=path,
                )
            real = disk.resolve(path)  # what is opened now is what is sent: no link is left in it
            opened = disk.open(real)
            opened.file.close()
            if opened.stat.size > largest << 20:
                raise ToolError(
                    f"{path} is larger than {largest} MB.", kind="too_large", target=path
                )
            found.append(Path(real))
        return tuple(found)


def _id(request: ToolRequest, turn: Turn) -> str:
    """Return what names a call across restarts; vendors may use an id of a call twice in a turn."""
    said = json.dumps(dict(request.arguments), sort_keys=True, default=str)
    return f"{turn.id}:{request.call_id}:{hashlib.sha256(said.encode()).hexdigest()[:12]}"


def _target(given: Mapping[str, object], turn: Turn) -> Target:
    """Return the chat that is meant; ``name.account`` names an account of a channel."""
    channel, chat = (str(given.get(name, "")).strip() for name in ("channel", "chat_id"))
    here = turn.target
    if channel in ("", here.channel, _lane(here)) and chat in ("", here.chat):
        return here
    if not chat:
        raise ToolError(f"Say which chat of {channel!r}: chat_id is missing.", kind="bad_argument")
    if channel in ("", here.channel):
        return Target(channel=here.channel, account=here.account, chat=chat)
    name, _, account = channel.partition(".")
    return Target(channel=name, account=account or "default", chat=chat)


def _lane(target: Target) -> str:
    plain = target.account == "default"
    return target.channel if plain else f"{target.channel}.{target.account}"


def _place(target: Target) -> str:
    return f"{_lane(target)}:{target.chat}"


def _texts(given: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = given.get(name) or ()
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ToolError(f"'{name}' must be a list of texts.", kind="bad_argument")
    return tuple(value)


def _buttons(given: Mapping[str, object]) -> tuple[tuple[str, ...], ...]:
    rows = given.get("buttons") or ()
    if not isinstance(rows, list | tuple):
        raise ToolError("'buttons' must be a list of rows of labels.", kind="bad_argument")
    made = tuple(_texts({"buttons": row}, "buttons") for row in rows)
    labels = [label for row in made for label in row]
    if len(labels) > MAX_BUTTONS or not all(0 < len(one.strip()) <= MAX_LABEL for one in labels):
        raise ToolError(
            f"'buttons' takes up to {MAX_BUTTONS} labels of 1 to {MAX_LABEL} characters.",
            kind="bad_argument",
        )
    return tuple(row for row in made if row)


def _result(became: str, place: str, files: int) -> ToolResult:
    """Tell the model honestly what became of a message."""
    told = _BECAME.get(became)
    if told is None:
        why = "the platform refused it; the log has its words" if became == "dead" else became
        return ToolResult.error("not_delivered", f"Not sent to {place}: {why}.", target=place)
    attached = f" with {files} file{'s' if files > 1 else ''}" if files else ""
    return ToolResult.ok(told.format(place=place, files=attached))


@asynccontextmanager
async def open_tool(config: MessageConfig, context: PluginContext) -> AsyncIterator[MessageTool]:
    """Open the tool."""
    yield MessageTool(config, context.desk)
