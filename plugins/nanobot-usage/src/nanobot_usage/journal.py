"""The journal: one append-only file of JSON lines a month, shared by all processes of an instance.

A long fact (a session's key, a model's id) is written once a month under a short digest, and the
calls refer to it. Each write is one ``write`` in append mode that begins and ends with a line
break, so what a crash has torn stays a line of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from nanobot.context import Clock
from nanobot.messages import BilledTokens, ContextTokens
from nanobot.paths import private_dir

FOLDER = "middleware.usage"
"""The data folder that the ledger, the budgets, the commands and the command line share."""
_FILES = "[0-9][0-9][0-9][0-9]-[0-9][0-9].jsonl"
_TURN = 12  # of the 32 digits of a turn's id; tells the turns of a month apart
_LONGEST_NAME = 300
_DAY_S = 86_400
_JSON = json.JSONEncoder(separators=(",", ":"))
_BETWEEN = "|"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """Money in billionths of a dollar, so that sums are exact."""

    input: int = 0
    output: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(input=self.input + other.input, output=self.output + other.output)

    @property
    def total(self) -> int:
        """Return both together."""
        return self.input + self.output


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call of a model.

    Args:
        at: When it ended, in seconds since 1970.
        user: Who caused it, as reports name them.
        context: How full the window was; no part of the bill.
        cost: None when the model's price is not known.
        estimated: The tokens are our estimate.
        segments: Estimated share of each piece of the prompt; sums up to ``billed.input``.
    """

    at: int
    turn: str
    session: str
    user: str
    origin: str
    model: str
    billed: BilledTokens
    context: ContextTokens
    cost: Cost | None = None
    estimated: bool = False
    segments: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Warned:
    """Users were told that a budget runs low."""

    at: int
    budget: str


Entry = Call | Warned


class Journal:
    """Adds to the files of a folder.

    Args:
        keep_months: Files of older months are removed when a new one is begun; None for never.
    """

    def __init__(self, folder: Path, keep_months: int | None = None) -> None:
        self._folder = folder
        self._keep = keep_months
        self._path = Path()
        self._known: set[str] = set()

    def append(self, entry: Entry) -> None:
        """Add an entry.

        Raises:
            OSError: It could not be written, at least not whole.
        """
        path = self._folder / f"{_month(entry.at)}.jsonl"
        if path != self._path:
            self._begin(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            if os.fstat(descriptor).st_size == 0:
                self._known.clear()
            names = [] if isinstance(entry, Warned) else _names(entry)
            fresh = [name for name in names if name not in self._known]
            lines: list[Mapping[str, object]] = [{"k": _digest(name), "v": name} for name in fresh]
            lines.append(_encode(entry))
            data = "".join(f"\n{_compact(line)}" for line in lines).encode() + b"\n"
            if os.write(descriptor, data) < len(data):
                raise OSError("the disk took only part of the entry")
            self._known.update(fresh)
        finally:
            os.close(descriptor)

    def _begin(self, path: Path) -> None:
        private_dir(self._folder)
        self._path = path
        self._known.clear()
        if self._keep is None:
            return
        for old in self._folder.glob(_FILES):
            if _number(path.stem) - _number(old.stem) >= self._keep:
                old.unlink(missing_ok=True)


class Tail:
    """Reads a journal, and later what was added since.

    Args:
        since: Seconds since 1970; files of earlier months are left out, not single entries.

    Attributes:
        skipped: How many lines were passed over because they are damaged.
    """

    def __init__(self, folder: Path, since: float, clock: Clock) -> None:
        self._folder = folder
        self._since = since
        self._clock = clock
        self._files: dict[str, _File] = {}
        self.skipped = 0

    def read(self) -> Iterator[Entry]:
        """Yield the entries that were not yielded before, in the order of the file."""
        month, last = _month(self._since), _month(self._clock.now().timestamp())
        while month <= last:
            file = self._files.get(month)
            if file is None:
                file = self._files[month] = _File(self._folder / f"{month}.jsonl")
            for line in file.lines():
                try:
                    entry = file.decode(json.loads(line))
                except (ValueError, TypeError, KeyError, RecursionError):
                    self.skipped += 1
                    continue
                if entry is not None:
                    yield entry
            month = _next(month)


class _File:
    """One month, as far as it was read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._names: dict[str, str] = {}

    def lines(self) -> Iterator[bytes]:
        """Yield the whole lines that were added; one that is still being written waits."""
        try:
            if self._path.stat().st_size <= self._offset:
                return
            with self._path.open("rb") as file:
                file.seek(self._offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        return
                    self._offset += len(line)
                    if line != b"\n":
                        yield line
        except FileNotFoundError:
            return

    def decode(self, data: Any) -> Entry | None:
        """Return what a line says, None for a name; raises what a wrong one makes it raise."""
        if "k" in data:
            self._names[_text(data["k"])] = _text(data["v"])
            return None
        if "w" in data:
            return Warned(at=_count(data["t"]), budget=_text(data["w"]))
        input_, output, cached, cache_write, reasoning = map(_count, data["b"])
        layout = self._name(data["l"]).split(_BETWEEN)
        shares = [_count(share) for share in data["g"]]
        if len(shares) != len(layout):
            shares, layout = [sum(shares)], [self._name(data["l"])]
        if sum(shares) != input_:
            raise ValueError("the shares are not those of this call")
        return Call(
            at=_count(data["t"]),
            turn=_text(data["u"]),
            session=self._name(data["s"]),
            user=self._name(data["p"]),
            origin=_text(data["o"]),
            model=self._name(data["m"]),
            billed=BilledTokens(
                input=input_,
                output=output,
                cached=cached,
                cache_write=cache_write,
                reasoning=reasoning,
            ),
            context=ContextTokens(_count(data["c"])),
            cost=Cost(input=_count(data["$"][0]), output=_count(data["$"][1]))
            if "$" in data
            else None,
            estimated="e" in data,
            segments=dict(zip(layout, shares, strict=True)),
        )

    def _name(self, digest: object) -> str:
        """Return a name; one whose line was lost is shown by its digest."""
        key = _text(digest)
        return self._names.get(key, f"?{key}")


def _encode(entry: Entry) -> dict[str, object]:
    if isinstance(entry, Warned):
        return {"t": entry.at, "w": entry.budget}
    session, user, model, layout = _names(entry)
    billed = entry.billed
    tokens = (billed.input, billed.output, billed.cached, billed.cache_write, billed.reasoning)
    line: dict[str, object] = {
        "t": entry.at,
        "u": entry.turn[:_TURN],
        "o": entry.origin,
        "s": _digest(session),
        "p": _digest(user),
        "m": _digest(model),
        "b": tokens,
        "c": entry.context,
        "l": _digest(layout),
        "g": tuple(entry.segments.values()),
    }
    if entry.cost is not None:
        line["$"] = (entry.cost.input, entry.cost.output)
    if entry.estimated:
        line["e"] = 1
    return line


def _names(call: Call) -> list[str]:
    layout = _BETWEEN.join(name.replace(_BETWEEN, "/") for name in call.segments)
    short = (name[:_LONGEST_NAME] for name in (call.session, call.user, call.model))
    return [*short, layout]


@lru_cache(maxsize=4096)
def _digest(name: str) -> str:
    found = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=6)
    return urlsafe_b64encode(found.digest()).decode()


def _compact(line: Mapping[str, object]) -> str:
    return _JSON.encode(line)


def _month(at: float) -> str:
    return _month_of(int(at // _DAY_S))


@lru_cache(maxsize=64)
def _month_of(day: int) -> str:
    return datetime.fromtimestamp(day * _DAY_S, UTC).strftime("%Y-%m")


def _number(month: str) -> int:
    year, number = month.split("-")
    return 12 * int(year) + int(number) - 1


def _next(month: str) -> str:
    year, number = divmod(_number(month) + 1, 12)
    return f"{year:04d}-{number + 1:02d}"


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError("no count")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value
