"""Torn, garbled and empty state files: it starts, says what it did, and loses nothing whole."""

from __future__ import annotations

import json
import random
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nanobot_gateway.channel import Verdict

CHATS = 40
PAGE = 512
Damage = Callable[[Path], None]


def midst(content: bytes) -> int:
    """Return where to do harm: at a message that is in the midst, if the file holds it."""
    found = content.find(b'"text":"#c20.0"')
    return found if found >= 0 else len(content) * 3 // 4


def torn(path: Path) -> None:
    """Cut off the end."""
    content = path.read_bytes()
    path.write_bytes(content[: midst(content)])


def garbled(path: Path) -> None:
    """Write noise over a stretch in the midst, as a bad disk does."""
    content = bytearray(path.read_bytes())
    start, size = midst(bytes(content)), max(len(content) // 20, 4)
    content[start : start + size] = random.Random(5).randbytes(size)
    path.write_bytes(content)


def empty(path: Path) -> None:
    """Leave nothing but the name."""
    path.write_bytes(b"")


HARM = [torn, garbled, empty]


# --- the store ----------------------------------------------------------------------------------


def accepted(house: Any, keep: Path) -> None:
    """Take many messages, answer none, and keep the files as a kill would leave them."""

    async def work(gateway: Any) -> None:
        house.brain.hold()
        for chat in range(CHATS):
            await house.platform.says(f"c{chat}")
        keep.mkdir()
        for name in ("state.db", "state.db-wal"):
            shutil.copy(house.data / name, keep / name)

    house.run(work)
    house.brain.go()


def whole(folder: Path, payloads: dict[int, bytes], pages: int) -> list[str]:
    """Return the messages that SQLite alone can still read, row by row, as they were."""
    copy = folder.with_name("plain")
    shutil.copytree(folder, copy)
    with (copy / "state.db").open("r+b") as file:  # SQLite reads no file that is too short
        file.truncate(max(file.seek(0, 2), PAGE * pages))
    found = []
    for seq, payload in payloads.items():
        try:
            with closing(sqlite3.connect(copy / "state.db")) as database:
                query = "SELECT payload FROM inbox NOT INDEXED WHERE seq = ?"
                row = database.execute(query, (seq,)).fetchone()
        except sqlite3.Error:
            continue
        if row and row[0] == payload:
            found.append(json.loads(payload)["parts"][0]["text"])
    return found


def damaged(house: Any, tmp_path: Path, file: str, harm: Damage) -> list[str]:
    """Take messages, do harm to a file of the store, and return what is whole in it."""
    keep = tmp_path / "crashed"
    accepted(house, keep)
    with closing(sqlite3.connect(house.data / "state.db")) as database:
        payloads = dict(database.execute("SELECT seq, payload FROM inbox").fetchall())
        (pages,) = database.execute("PRAGMA page_count").fetchone()
    assert len(payloads) == CHATS
    if file == "state.db":  # all is in the file itself: a gateway that ended in peace
        shutil.copy(house.data / "state.db", keep / "state.db")
        (keep / "state.db-wal").unlink()
    harm(keep / file)
    left = whole(keep, payloads, pages)
    for name in ("state.db", "state.db-wal", "state.db-shm"):
        (house.data / name).unlink(missing_ok=True)
        if (keep / name).exists():
            shutil.copy(keep / name, house.data / name)
    return left


async def goes_on(house: Any, gateway: Any) -> None:
    """Let what is left be answered, and a new message."""
    await gateway.sessions.drained()
    await house.platform.says("new")
    await gateway.sessions.drained()
    await gateway.outbox.drained()


@pytest.mark.parametrize("harm", HARM)
def test_the_store(house: Any, tmp_path: Path, capfd: Any, harm: Damage) -> None:
    left = damaged(house, tmp_path, "state.db", harm)
    assert len(left) < CHATS and bool(left) is (harm is not empty)
    capfd.readouterr()
    house.run(lambda gateway: goes_on(house, gateway))
    assert {*left, "#new.0"} <= set(house.ledger.answered)
    assert not house.ledger.doubled
    if harm is not empty:
        told = capfd.readouterr().err
        aside = house.data / "state.db.corrupt-1"
        assert "the store was broken" in told and str(aside) in told and aside.exists()


@pytest.mark.parametrize("harm", HARM)
def test_the_log_of_the_store(house: Any, tmp_path: Path, harm: Damage) -> None:
    left = damaged(house, tmp_path, "state.db-wal", harm)
    assert len(left) < CHATS and bool(left) is (harm is not empty)
    house.run(lambda gateway: goes_on(house, gateway))
    assert {*left, "#new.0"} <= set(house.ledger.answered)
    assert not house.ledger.doubled


def test_the_detector_sees_what_is_thrown_away(house: Any, tmp_path: Path) -> None:
    """Negative control: a store that begins anew instead of reading what it can."""
    from nanobot_store_sqlite import salvage

    left = damaged(house, tmp_path, "state.db", torn)
    house.patch.setattr(salvage, "_readable", lambda path, table: iter(()))
    house.run(lambda gateway: goes_on(house, gateway))
    assert not set(left) <= set(house.ledger.answered)


@pytest.mark.parametrize("table", ["inbox", "outgoing"])
def test_rows_of_which_the_bytes_are_wrong(house: Any, capfd: Any, table: str) -> None:
    """The database is sound, but what it keeps in one row is not: that row alone is passed over."""

    async def work(gateway: Any) -> None:
        async def nobody(message: Any) -> bool:
            raise TimeoutError

        house.platform.deliver = nobody
        if table == "inbox":
            house.brain.hold()
        for chat in range(5):
            await house.platform.says(f"c{chat}")
        if table == "outgoing":
            await gateway.sessions.drained()

    house.run(work)
    house.brain.go()
    with closing(sqlite3.connect(house.data / "state.db", isolation_level=None)) as database:
        query = f"SELECT seq, payload FROM {table} WHERE seq = (SELECT min(seq) + 2 FROM {table})"
        seq, payload = database.execute(query).fetchone()
        (spoiled,) = set(re.findall(r"#c\d\.0", payload.decode()))
        bad = payload[:-9] + bytes([255, 0])
        database.execute(f"UPDATE {table} SET payload = ? WHERE seq = ?", (bad, seq))
    capfd.readouterr()
    house.run(lambda gateway: goes_on(house, gateway))
    assert set(house.ledger.said) - {spoiled} == set(house.ledger.answered)
    assert not house.ledger.doubled
    assert "unreadable" in capfd.readouterr().err


# --- transcripts --------------------------------------------------------------------------------


def remembered(house: Any, harm: Damage) -> list[str]:
    """Hold a conversation, harm its transcript, and return the messages in lines that are whole."""

    async def talk(gateway: Any) -> None:
        for _ in range(12):
            await house.platform.says("c0")
            await gateway.sessions.drained()

    house.run(talk)
    (path,) = (house.folder / "work" / "sessions").glob("*.jsonl")
    harm(path)
    found: list[str] = []
    for line in path.read_bytes().split(b"\n"):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if record["type"] == "user":
            found.append(record["parts"][0]["text"])
    return found


def recalled(house: Any) -> list[str]:
    """Return what the next turn of the conversation still knows."""

    async def ask(gateway: Any) -> str:
        house.brain.remembers = True
        await house.platform.says("c0")
        await gateway.sessions.drained()
        await gateway.outbox.drained()
        return str(house.platform.texts("c0")[-1])

    return house.run(ask).split()[1:]  # type: ignore[no-any-return]


@pytest.mark.parametrize("harm", HARM)
def test_transcripts(house: Any, harm: Damage) -> None:
    left = remembered(house, harm)
    assert len(left) < 12 and bool(left) is (harm is not empty)
    known = recalled(house)
    assert [word for word in known if word in left] == left, "in order, and each once"
    assert known[-1] == "#c0.12"
    if harm is garbled:
        assert any("damaged" in text for text in house.platform.texts("c0"))


def test_the_detector_sees_a_transcript_that_is_given_up(house: Any) -> None:
    """Negative control: a reader that stops at the first line that it does not understand."""
    from nanobot_engine_standard.transcript import Transcript

    lines = Transcript._lines

    def impatient(self: Any) -> Any:
        for line in lines(self):
            if self._parse(line) is None:
                return
            yield line

    left = remembered(house, garbled)
    house.patch.setattr(Transcript, "_lines", impatient)
    assert not set(left) <= set(recalled(house))


# --- pairing ------------------------------------------------------------------------------------


def paired(house: Any) -> Path:
    async def work(gateway: Any) -> None:
        made = gateway.pairing.request("wire", "friend")
        assert gateway.pairing.approve(made.code)

    house.run(work)
    path: Path = house.data / "pairing.json"
    assert path.exists()
    return path


@pytest.mark.parametrize("harm", HARM)
def test_who_is_paired(house: Any, capfd: Any, harm: Damage) -> None:
    """Nobody is let in by a damaged file, nobody else is kept out, and mending it mends all."""
    path = paired(house)
    good = path.read_bytes()
    harm(path)
    bad = path.read_bytes()

    async def work(gateway: Any) -> None:
        hand = house.platform.hand
        denied = await hand("hello", "f", user="friend")
        assert denied.verdict is Verdict.DENIED and "pairing.json is damaged" in denied.reason
        assert (await hand("hello", "s", user="stranger")).verdict is Verdict.DENIED
        await house.platform.says("c0")
        await hand("/pairing list", "c0")
        await gateway.sessions.drained()
        await gateway.outbox.drained()
        assert any("damaged" in text for text in house.platform.texts("c0"))
        assert path.read_bytes() == bad, "what is left of it is not overwritten"
        path.write_bytes(good)
        assert (await hand("hello", "f", id="2", user="friend")).verdict is Verdict.TURN
        await gateway.sessions.drained()

    house.run(work)
    assert house.ledger.faultless, house.ledger
    assert "pairing.json is damaged" in capfd.readouterr().err


def test_the_detector_sees_a_pairing_file_that_is_begun_anew(house: Any) -> None:
    """Negative control: a reader that takes a damaged file for an empty one."""
    from nanobot_gateway import pairing

    path = paired(house)
    garbled(path)
    bad = path.read_bytes()
    house.patch.setattr(pairing, "strict_json", SimpleNamespace(loads=lambda content: {}))

    async def work(gateway: Any) -> None:
        gateway.pairing.request("wire", "stranger")

    house.run(work)
    assert path.read_bytes() != bad


# --- what can be found out again ----------------------------------------------------------------


@pytest.mark.parametrize("harm", [torn, garbled, empty])
@pytest.mark.parametrize(
    "name", ["plugins.json", "gateway-status.json", "gateway.lock", "config.last-good.json"]
)
def test_what_is_only_noted(house: Any, name: str, harm: Damage) -> None:
    """Files that hold nothing of their own are written anew."""
    path = house.data / name
    house.use("tools.nowhere", None)
    house.run(lambda gateway: goes_on(house, gateway))
    if not path.exists():
        path.write_text('{"tools.dice@nanobot-tool-dice": {"version": "1", "state": "broken"}}')
    harm(path)
    house.run(lambda gateway: goes_on(house, gateway))
    assert house.ledger.faultless, house.ledger


# --- the configuration --------------------------------------------------------------------------


@pytest.mark.parametrize("harm", HARM)
def test_the_configuration(launch: Any, ledger: Any, harm: Damage) -> None:
    """It does not guess: it says where the file is broken, and where the last good one is."""
    gateway = launch()
    gateway.write()
    good = gateway.path.read_bytes()
    gateway.start()
    gateway.connect(ledger).ask(ledger.say("c0"))
    gateway.stop(15)
    harm(gateway.path)
    bad = gateway.path.read_bytes()
    gateway.start()
    assert gateway.process.wait(60) == 1
    copy = gateway.path.with_name("config.last-good.json")
    assert f"{gateway.path}" in gateway.told and f"{copy}" in gateway.told
    assert "Traceback" not in gateway.told
    assert gateway.path.read_bytes() == bad and copy.read_bytes() == good
    gateway.path.write_bytes(copy.read_bytes())
    gateway.start()
    gateway.connect(ledger).ask(ledger.say("c0"))


def test_the_detector_sees_a_configuration_that_is_guessed(launch: Any, wait_for: Any) -> None:
    """Negative control: a gateway that takes what it can not read for an empty configuration."""
    gateway = launch(flaw="guessing")
    gateway.path.write_text("{ broken")
    gateway.environment["NANOBOT_GATEWAY__PORT"] = "0"
    gateway.start()
    wait_for(lambda: gateway.process.poll() is not None or "gateway runs" in gateway.told)
    assert gateway.process.poll() is None
