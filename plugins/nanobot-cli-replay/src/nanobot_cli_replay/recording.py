"""A recorded session, read from its transcript: what was said, and what came of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nanobot.errors import ConfigError
from nanobot.messages import Inbound, Origin, Principal, Role, StopReason, Target, Text
from nanobot_engine_standard import codec
from nanobot_engine_standard.transcript import Transcript, file_name

Record = Mapping[str, Any]
SKIPPED = ("damage",)
"""Records that tell of the file and not of the session."""
UNKNOWN = "unknown_tool"
"""The kind of result of a call to a tool that was not there."""


@dataclass(slots=True)
class Exchange:
    """A message, and what was recorded of it.

    Args:
        inbound: The message that began it.
        begin: Index of its first record.
        records: All of its records, in order; a command's have its effects between them.
        said: Messages that joined the turn, each with how many answers there were before.
    """

    inbound: Inbound
    begin: int
    records: list[Record] = field(default_factory=list)
    said: list[tuple[int, Inbound]] = field(default_factory=list)

    @property
    def command(self) -> str:
        """Return the command's name, empty for a turn."""
        first = self.records[0]
        return str(first["name"]) if first["type"] == "command" else ""

    @property
    def end(self) -> Record | None:
        """Return how the turn ended, None if it did not."""
        return next((record for record in self.records if record["type"] == "end"), None)

    @property
    def stop(self) -> str:
        """Return why the turn ended, empty if it did not."""
        return str(self.end["stop_reason"]) if self.end else ""

    @property
    def own(self) -> list[Record]:
        """Return the records without those that the next message added, to close the turn."""
        records = list(self.records)
        if self.stop == StopReason.INTERRUPTED and self.end and not self.end.get("error"):
            records.remove(self.end)
            while records[-1].get("kind") == "interrupted":
                records.pop()
        return records

    @property
    def answers(self) -> list[Record]:
        """Return what the model answered, without what the engine said in its place."""
        return [record for record in self.records if is_answer(record)]

    @property
    def takes(self) -> list[list[Record]]:
        """Return the records of the turn, divided where it was taken up after an interruption."""
        parts: list[list[Record]] = [[]]
        for record in self.own:
            if record["type"] == "resumed":
                parts.append([])
            parts[-1].append(record)
        if self.stop == StopReason.INTERRUPTED and self.end and self.end.get("error"):
            parts.append([self.end])  # it was looked at once more, and given up
        return parts


def is_answer(record: Record) -> bool:
    """Tell whether a record holds words of a model."""
    return record["type"] == "assistant" and bool(record.get("finish"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """A session as it was recorded."""

    key: str
    records: tuple[Record, ...]
    exchanges: tuple[Exchange, ...]

    @property
    def turns(self) -> list[Exchange]:
        """Return the turns, without the commands."""
        return [exchange for exchange in self.exchanges if not exchange.command]


def find(sessions: Path, name: str) -> tuple[Path, str]:
    """Return the transcript and the key of a session.

    Args:
        sessions: Where the transcripts lie.
        name: The session's key, or the path of a transcript.

    Raises:
        ConfigError: There is none.
    """
    path = Path(name).expanduser()
    if path.suffix != ".jsonl" or not path.is_file():
        path = sessions / file_name(name)
    try:
        with path.open("rb") as file:
            header = json.loads(file.readline())
        return path, str(header["key"])
    except FileNotFoundError:
        raise ConfigError(
            f"there is no session {name!r} in {sessions}", remedy=_known(sessions)
        ) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(f"{path} is no transcript of a session") from None


def _known(sessions: Path) -> str:
    keys = []
    for path in sorted(sessions.glob("*.jsonl")):
        try:
            keys.append(find(sessions, str(path))[1])
        except ConfigError:
            continue
    return f"Sessions: {', '.join(keys[:20]) or 'none'}."


def read(path: Path, key: str) -> Recording:
    """Return a session, read from a copy of its transcript."""
    with TemporaryDirectory(prefix="nanobot-replay-") as folder:
        shutil.copyfile(path, Path(folder) / file_name(key))
        with Transcript(Path(folder), key) as transcript:
            records = tuple(record for record in transcript.read() if record["type"] not in SKIPPED)
    return Recording(key=key, records=records, exchanges=tuple(_exchanges(key, records)))


def _exchanges(key: str, records: Iterable[Record]) -> Iterator[Exchange]:
    """Divide the records; each belongs to the turn that it names, else to the one before it."""
    turns: dict[str, Exchange] = {}
    current: Exchange | None = None
    for index, record in enumerate(records):
        name = str(record.get("turn", ""))
        found = turns.get(name) if name else current
        if found is None and record["type"] in ("user", "command") and "message" in record:
            found = current = turns[name] = Exchange(_inbound(key, record), index)
        elif found is not None and record["type"] == "user":
            found.said.append((len(found.answers), _inbound(key, record)))
        if found is not None:
            found.records.append(record)
    yield from turns.values()


def _inbound(key: str, record: Record) -> Inbound:
    who, place = record.get("from_", {}), record.get("to", {})
    target = Target(
        channel=str(place.get("channel", "cli")),
        account=str(place.get("account", "default")),
        chat=str(place.get("chat", "")),
        thread=str(place.get("thread", "")),
    )
    parts = tuple(codec.part_from_json(part) for part in record.get("parts", ()))
    return Inbound(
        id=str(record.get("message", "")),
        session_key=key,
        principal=Principal(
            channel=str(who.get("channel", target.channel)),
            account=str(who.get("account", "default")),
            user=str(who.get("user", "")),
            role=Role(who.get("role", Role.OWNER)),
        ),
        target=target,
        parts=parts or (Text(text=f"/{record.get('name', '')}"),),
        received_at=_time(record.get("at")),
        origin=Origin(record.get("origin", Origin.USER)),
        parent=str(record.get("parent", "")),
    )


def _time(text: object) -> datetime:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
