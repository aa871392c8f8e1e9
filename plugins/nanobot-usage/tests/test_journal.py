"""The journal: nothing is lost but what is damaged, whoever writes at the same time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nanobot.messages import BilledTokens, ContextTokens
from nanobot_testing.lab import FakeClock
from nanobot_usage.journal import Call, Cost, Journal, Tail, Warned

NOW = int(FakeClock().now().timestamp())
COUNT = st.integers(0, 2**40)
WORD = st.text(max_size=40)


@st.composite
def calls(draw: Any) -> Call:
    shares = draw(st.dictionaries(st.text("abc._", min_size=1, max_size=9), COUNT, max_size=9))
    shares = shares or {"message": draw(COUNT)}
    return Call(
        at=NOW - draw(st.integers(0, 60)),
        turn=draw(st.text("0123456789abcdef", min_size=12, max_size=12)),
        session=draw(WORD),
        user=draw(WORD),
        origin=draw(st.sampled_from(["user", "schedule", "agent"])),
        model=draw(WORD),
        billed=BilledTokens(
            input=sum(shares.values()),
            output=draw(COUNT),
            cached=draw(COUNT),
            cache_write=draw(COUNT),
            reasoning=draw(COUNT),
        ),
        context=ContextTokens(draw(COUNT)),
        cost=draw(st.none() | st.builds(Cost, input=COUNT, output=COUNT)),
        estimated=draw(st.booleans()),
        segments=shares,
    )


def tail(folder: Path) -> Tail:
    return Tail(folder, NOW - 86_400, FakeClock())


@given(st.lists(calls(), max_size=8))
def test_what_is_written_is_read(made: list[Call]) -> None:
    with TemporaryDirectory() as place:
        journal = Journal(Path(place) / "j")
        for call in made:
            journal.append(call)
        assert list(tail(Path(place) / "j").read()) == made


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(calls(), min_size=1, max_size=6), st.data())
def test_torn_lines_lose_only_themselves(made: list[Call], data: Any) -> None:
    """Whatever becomes of some lines of calls, all the others are read as they were."""
    with TemporaryDirectory() as place:
        folder = Path(place) / "j"
        journal = Journal(folder)
        for call in made:
            journal.append(call)
        (path,) = folder.iterdir()
        lines = path.read_bytes().split(b"\n")
        where = [number for number, line in enumerate(lines) if b'"u":' in line]
        torn = data.draw(st.sets(st.integers(0, len(made) - 1)))
        for number in torn:
            line = lines[where[number]]
            cut = data.draw(st.integers(1, len(line) - 1))
            lines[where[number]] = data.draw(st.sampled_from([line[:cut], b"\xff" + line[cut:]]))
        path.write_bytes(b"\n".join(lines))
        reader = tail(folder)
        kept = [call for number, call in enumerate(made) if number not in torn]
        assert list(reader.read()) == kept
        assert reader.skipped == len(torn)


def test_a_write_after_a_torn_one_is_whole(tmp_path: Path, make_call: Callable[..., Call]) -> None:
    Journal(tmp_path).append(make_call())
    (path,) = tmp_path.iterdir()
    with path.open("ab") as file:
        file.write(b'\n{"t":17')
    later = make_call(session="cli:other")
    Journal(tmp_path).append(later)
    assert list(tail(tmp_path).read()) == [make_call(), later]


def test_a_lost_name_costs_no_numbers(tmp_path: Path, make_call: Callable[..., Call]) -> None:
    Journal(tmp_path).append(make_call())
    (path,) = tmp_path.iterdir()
    lines = [line for line in path.read_bytes().split(b"\n") if b'"k"' not in line]
    path.write_bytes(b"\n".join(lines))
    (found,) = tail(tmp_path).read()
    assert isinstance(found, Call)
    assert found.billed == make_call().billed
    assert found.session.startswith("?") and found.model.startswith("?")
    assert sum(found.segments.values()) == 10


def test_numbers_that_are_none_are_damage(tmp_path: Path, make_call: Callable[..., Call]) -> None:
    Journal(tmp_path).append(make_call())
    (path,) = tmp_path.iterdir()
    good = path.read_text()
    for wrong in ('"b":[10,2,0,0]', '"b":[-1,2,0,0,0]', '"b":[11,2,0,0,0]', '"b":"10"'):
        path.write_text(good.replace('"b":[10,2,0,0,0]', wrong))
        reader = tail(tmp_path)
        assert list(reader.read()) == [] and reader.skipped == 1


_WRITER = """
import json, sys
from pathlib import Path
from nanobot.messages import BilledTokens, ContextTokens
from nanobot_usage.journal import Call, Journal

folder, who, count, at = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
journal = Journal(Path(folder))
sys.stdin.readline()
for number in range(count):
    journal.append(
        Call(
            at=at, turn=f"{who}-{number}", session=f"s-{number % 7}", user=who, origin="user",
            model=f"m-{number % 3}", billed=BilledTokens(input=number, output=1),
            context=ContextTokens(0), segments={"message": number},
        )
    )
"""


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    count, writers = 300, 4
    folder = tmp_path / "j"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(folder), f"w{one}", str(count), str(NOW)],
            stdin=subprocess.PIPE,
        )
        for one in range(writers)
    ]
    for process in started:
        assert process.stdin
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in started:
        process.communicate(timeout=60)
        assert process.returncode == 0
    reader = tail(folder)
    found = [entry for entry in reader.read() if isinstance(entry, Call)]
    assert reader.skipped == 0
    assert {call.turn for call in found} == {
        f"w{one}-{number}" for one in range(writers) for number in range(count)
    }
    assert len(found) == count * writers
    assert sum(call.billed.input for call in found) == writers * sum(range(count))
    assert not [call for call in found if call.session.startswith("?")]


def test_only_what_is_new_is_read_again(tmp_path: Path, make_call: Callable[..., Call]) -> None:
    journal, reader = Journal(tmp_path), tail(tmp_path)
    assert list(reader.read()) == []
    journal.append(make_call())
    assert list(reader.read()) == [make_call()]
    assert list(reader.read()) == []
    journal.append(Warned(at=NOW, budget="daily"))
    assert list(reader.read()) == [Warned(at=NOW, budget="daily")]


def test_a_line_that_is_being_written_waits(tmp_path: Path, make_call: Callable[..., Call]) -> None:
    Journal(tmp_path).append(make_call())
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    reader = tail(tmp_path)
    assert list(reader.read()) == []
    path.write_bytes(whole)
    assert list(reader.read()) == [make_call()]


def test_a_call_takes_less_than_250_bytes(tmp_path: Path, make_call: Callable[..., Call]) -> None:
    names = ("identity", "agents", "soul", "user", "memory", "skills", "tools_guide")
    shares = {f"system.{name}": 12_345 for name in names} | dict.fromkeys(
        ("tools", "history", "results", "message"), 12_345
    )
    call = make_call(
        session="feishu:oc_84983ff6516d731e5b5f68d4ea2e1da5",
        user="feishu/second:ou_7d8a6e6df7621556ce0d21922b676706ccs",
        model="anthropic/claude-opus-4.5-20251101",
        turn="a" * 32,
        billed=BilledTokens(input=12_345 * 11, output=8_000, cached=120_000, reasoning=7_000),
        context=ContextTokens(143_795),
        cost=Cost(input=234_567_890, output=200_000_000),
        segments=shares,
    )
    journal = Journal(tmp_path)
    journal.append(call)
    (path,) = tmp_path.iterdir()
    before = path.stat().st_size
    for _ in range(10):
        journal.append(call)
    assert (path.stat().st_size - before) / 10 < 250
    assert list(tail(tmp_path).read())[-1] == replace(call, turn="a" * 12)


def test_files_are_private_and_one_a_month(tmp_path: Path, make_call: Callable[..., Call]) -> None:
    folder = tmp_path / "plugins" / "middleware.usage"
    old = os.umask(0)
    try:
        journal = Journal(folder)
        for month in (11, 12):
            journal.append(make_call(at=int(datetime(2025, month, 30, tzinfo=UTC).timestamp())))
    finally:
        os.umask(old)
    assert sorted(path.name for path in folder.iterdir()) == ["2025-11.jsonl", "2025-12.jsonl"]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    for path in folder.iterdir():  # each month stands for itself
        assert any("k" in json.loads(line) for line in path.read_text().split("\n") if line)


def test_old_months_are_removed(tmp_path: Path, make_call: Callable[..., Call]) -> None:
    for name in ("2024-11.jsonl", "2025-10.jsonl", "2025-11.jsonl", "2025-12.jsonl", "other.jsonl"):
        (tmp_path / name).write_text("")
    (tmp_path / "prices.json").write_text("{}")
    Journal(tmp_path, keep_months=3).append(make_call())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "2025-11.jsonl",
        "2025-12.jsonl",
        "2026-01.jsonl",
        "other.jsonl",
        "prices.json",
    ]


def test_names_are_written_again_after_the_file_was_removed(
    tmp_path: Path, make_call: Callable[..., Call]
) -> None:
    journal = Journal(tmp_path)
    journal.append(make_call())
    (path,) = tmp_path.iterdir()
    path.unlink()
    journal.append(make_call())
    assert list(tail(tmp_path).read()) == [make_call()]
