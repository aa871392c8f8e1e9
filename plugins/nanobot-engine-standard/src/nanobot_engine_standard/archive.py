"""Looks into the transcripts of sessions on behalf of somebody, without opening them for a turn."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nanobot.command import HistoryEntry
from nanobot.desk import SessionInfo
from nanobot.errors import ToolError
from nanobot.messages import Role, Scope, text_of

from nanobot_engine_standard import codec
from nanobot_engine_standard.transcript import file_name

MOST_ENTRIES = 2000
_SHOWN_CHARS = 200
_SAID = ("user", "assistant")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Summary:
    """What is known of a transcript; it holds while the file's size and time are the same."""

    stamp: tuple[int, int]
    key: str
    speakers: frozenset[tuple[str, str, str]]
    turns: int
    last: str

    def is_open_to(self, scope: Scope) -> bool:
        who = scope.principal
        return who.role is Role.OWNER or (who.channel, who.account, who.user) in self.speakers


class Archive:
    """The transcripts in a folder.

    Args:
        folder: Where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, _Summary] = {}

    def sessions(self, scope: Scope) -> Sequence[SessionInfo]:
        """Return the sessions that a principal may look into, the newest first."""
        found = []
        for path in self._folder.glob("*.jsonl"):
            summary = self._summary(path)
            if summary and summary.key and summary.is_open_to(scope):
                found.append((summary.stamp[1], summary))
        found.sort(key=lambda one: one[0], reverse=True)
        return [
            SessionInfo(
                key=summary.key,
                turns=summary.turns,
                changed_at=datetime.fromtimestamp(changed / 1e9, UTC),
                last=summary.last,
            )
            for changed, summary in found
        ]

    def recall(self, scope: Scope, key: str) -> Sequence[HistoryEntry]:
        """Return what was said in a session since it was last begun afresh, oldest first.

        Raises:
            ToolError: There is none, or the principal has not spoken in it: both read the same.
        """
        path = self._folder / file_name(key)
        summary = self._summary(path)
        if summary is None or not summary.is_open_to(scope):
            raise ToolError(f"There is no session {key!r} of yours.", kind="not_found", target=key)
        said: list[HistoryEntry] = []
        for record in _records(path):
            if record.get("type") == "reset":
                said.clear()
            elif text := _text(record):
                said.append(HistoryEntry(role=record["type"], text=text))
        return said[-MOST_ENTRIES:]

    def _summary(self, path: Path) -> _Summary | None:
        try:
            found = path.stat()
        except OSError:
            return None
        stamp = (found.st_size, found.st_mtime_ns)
        known = self._known.get(path)
        if known is None or known.stamp != stamp:
            known = self._known[path] = _summarised(path, stamp)
        return known


def _summarised(path: Path, stamp: tuple[int, int]) -> _Summary:
    key, turns, last = "", 0, ""
    speakers: set[tuple[str, str, str]] = set()
    for record in _records(path):
        if record.get("type") == "session":
            key = str(record.get("key", ""))
        elif record.get("type") == "user":
            turns += 1
            who = record.get("from_")
            if isinstance(who, Mapping):
                speakers.add((_named(who, "channel"), _named(who, "account"), _named(who, "user")))
        last = _text(record) or last
    shown = " ".join(last.split())[:_SHOWN_CHARS]
    return _Summary(stamp=stamp, key=key, speakers=frozenset(speakers), turns=turns, last=shown)


def _named(who: Mapping[str, Any], field: str) -> str:
    return str(who.get(field, ""))


def _records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a transcript, without what is damaged."""
    try:
        with path.open("rb") as file:
            for line in file:
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if isinstance(record, dict):
                    yield record
    except OSError:
        return


def _text(record: Mapping[str, Any]) -> str:
    """Return what was said in a record, empty where nothing was."""
    if record.get("type") not in _SAID:
        return ""
    if record["type"] == "assistant":
        return str(record.get("text", "")).strip()
    parts = record.get("parts")
    found = parts if isinstance(parts, list) else []
    return text_of(tuple(codec.part_from_json(part) for part in found if isinstance(part, dict)))
