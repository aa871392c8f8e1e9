"""Codes: one a stranger, few at a time, good for ten minutes, and never lost by accident."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from nanobot.errors import StorageError
from nanobot_gateway.commands import USAGE, pairing_command
from nanobot_gateway.pairing import LIFETIME_S, MOST_PENDING, PairingStore
from nanobot_testing.lab import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> PairingStore:
    return PairingStore(tmp_path / "pairing.json", clock)


def test_approving(store: PairingStore, tmp_path: Path, clock: FakeClock) -> None:
    made = store.request("phone", "u1")
    assert made and not store.is_approved("phone", ("u1",))
    other = PairingStore(tmp_path / "pairing.json", clock)
    assert other.approve(made.code.lower().replace("-", "")) == made
    assert store.is_approved("phone", ("u1",)) and not store.is_approved("other", ("u1",))
    assert store.pending() == [] and store.approved() == {"phone": ["u1"]}
    assert other.approve(made.code) is None, "a code is good once"


@pytest.mark.parametrize("typed", ["ü", "\ud800", "", "-", "🐈" * 100])
def test_what_can_be_no_code_approves_nobody(store: PairingStore, typed: str) -> None:
    assert store.request("phone", "u1")
    assert store.approve(typed) is None and store.deny(typed) is None
    assert len(store.pending()) == 1


def test_a_stranger_has_one_code(store: PairingStore) -> None:
    assert store.request("phone", "u1") == store.request("phone", "u1")
    assert store.request("phone", "u1") != store.request("phone", "u2")


def test_few_wait_at_a_time(store: PairingStore) -> None:
    assert all(store.request("phone", f"u{n}") for n in range(MOST_PENDING))
    assert store.request("phone", "one too many") is None
    assert store.request("other", "u1")


def test_codes_expire(store: PairingStore, clock: FakeClock) -> None:
    made = store.request("phone", "u1")
    assert made
    clock.advance(LIFETIME_S + 1)
    assert store.approve(made.code) is None and store.pending() == []


def test_denied_and_revoked(store: PairingStore) -> None:
    made = store.request("phone", "u1")
    assert made and store.deny(made.code) == made and store.approve(made.code) is None
    again = store.request("phone", "u1")
    assert again
    store.approve(again.code)
    assert store.revoke("u1", "elsewhere") == [] and store.revoke("u1") == ["phone"]
    assert not store.is_approved("phone", ("u1",))


def test_the_file_is_private_and_has_the_known_form(store: PairingStore, tmp_path: Path) -> None:
    made = store.request("phone", "u1")
    assert made
    path = tmp_path / "pairing.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (entry,) = json.loads(path.read_text())["pending"].values()
    assert set(entry) == {"channel", "sender_id", "created_at", "expires_at"}


@pytest.mark.parametrize("content", ["{", '{"approved": []}', '{"approved": {"a": 1}}', "[]"])
def test_a_damaged_file_lets_nobody_in_and_is_kept(
    store: PairingStore, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "pairing.json"
    path.write_text(content)
    with pytest.raises(StorageError, match="damaged"):
        store.is_approved("phone", ("u1",))
    with pytest.raises(StorageError):
        store.request("phone", "u1")
    assert path.read_text() == content


def test_the_file_is_read_only_when_it_changed(
    store: PairingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.request("phone", "u1")
    reads: list[Path] = []
    read = Path.read_bytes

    def counted(path: Path) -> bytes:
        reads.append(path)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    for _ in range(10):
        store.is_approved("phone", ("u1",))
    assert reads == []
    os.utime(tmp_path / "pairing.json", ns=(1, 1))
    store.is_approved("phone", ("u1",))
    assert len(reads) == 1


@pytest.mark.parametrize("words", ["", "list", "LIST"])
def test_listing(store: PairingStore, words: str) -> None:
    assert pairing_command(store, words) == "Nobody is paired, and nobody waits."
    made = store.request("phone", "u1")
    assert made and made.code in pairing_command(store, words)


def test_the_command(store: PairingStore) -> None:
    made = store.request("phone", "u1")
    assert made
    assert pairing_command(store, f"approve {made.code}") == "Approved u1 on phone."
    assert "phone" in pairing_command(store, "list")
    assert pairing_command(store, "revoke phone u1") == "Revoked u1 on phone."
    assert pairing_command(store, "revoke u1") == "u1 was not paired."
    assert "expired" in pairing_command(store, "approve AAAA-BBBB")
    assert pairing_command(store, "approve") == pairing_command(store, "dance x") == USAGE
