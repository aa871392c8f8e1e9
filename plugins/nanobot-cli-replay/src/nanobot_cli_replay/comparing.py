"""Two transcripts compared: what counts, and the first place where they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any

from nanobot_cli_replay.recording import UNKNOWN, Record

_VOLATILE = frozenset({"n", "at", "seconds", "context", "scale"})
"""Fields that tell of a time, a place in the file, or of what was sent besides."""
_SHOWN = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """The first place where a replay is not what was recorded.

    Args:
        record: Number of the record among those that are compared, from 1.
        turn: Number of the turn that it belongs to, from 1; 0 for none.
        field: Which of its fields, empty when the whole record is missing or too much.
    """

    record: int
    turn: int
    type: str
    field: str
    recorded: Any
    replayed: Any

    def __str__(self) -> str:
        """Say it in a few lines."""
        place = f"turn {self.turn}, " if self.turn else ""
        what = f"{place}record {self.record} ({self.type}){self.field and ', field ' + self.field}"
        return f"{what}\n  recorded: {_short(self.recorded)}\n  replayed: {_short(self.replayed)}"

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return asdict(self)


def _short(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def first_difference(recorded: Sequence[Record], replayed: Sequence[Record]) -> Difference | None:
    """Return where two transcripts differ first, None if they do not."""
    numbers: dict[str, int] = {}
    pairs = zip_longest(_plain(recorded), _plain(replayed))
    for number, (one, other) in enumerate(pairs, start=1):
        shown = one or other or {}
        turn = numbers.setdefault(str(shown.get("turn")), len(numbers) + 1) if shown else 0
        if one == other:
            continue
        field = _field(one, other) if one and other else ""
        return Difference(
            record=number,
            turn=turn if "turn" in shown else 0,
            type=str(shown["type"]),
            field=field,
            recorded=one.get(field) if one and field else one,
            replayed=other.get(field) if other and field else other,
        )
    return None


def _field(one: Record, other: Record) -> str:
    """Return the first field that differs; the type before all others."""
    names = ("type", *dict.fromkeys((*one, *other)))
    return next(name for name in names if one.get(name) != other.get(name))


def _plain(records: Sequence[Record]) -> list[Mapping[str, Any]]:
    """Return the records without what is never the same twice; turns are numbered."""
    turns: dict[str, int] = {}
    made: list[Mapping[str, Any]] = []
    for record in records:
        plain = {name: value for name, value in record.items() if name not in _VOLATILE}
        if plain.get("kind") == UNKNOWN:
            del plain["parts"]  # names the other tools, of which the recording knows not all
        if "turn" in plain:
            plain["turn"] = turns.setdefault(plain["turn"], len(turns) + 1)
        made.append(plain)
    return made
