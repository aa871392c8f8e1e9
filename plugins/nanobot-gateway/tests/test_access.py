"""Who gets in: the stable id decides, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nanobot.messages import Role, Text
from nanobot_gateway.access import Entry, Gate
from nanobot_gateway.channel import Incoming
from nanobot_gateway.config import ChannelConfig
from nanobot_gateway.pairing import PairingStore
from nanobot_testing.lab import FakeClock

ROWS = json.loads((Path(__file__).parent / "corpora" / "allow_from.json").read_text())["items"]


def decide(tmp_path: Path, config: dict[str, Any], **message: Any) -> Any:
    fields = {"id": "1", "sender": "u1", "chat": "c", "parts": (Text(text="hi"),), **message}
    gate = Gate(PairingStore(tmp_path / "pairing.json", FakeClock()))
    settings = ChannelConfig.model_validate(config)
    return gate.decide(Incoming(**fields), "phone", "default", settings)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_corpus(tmp_path: Path, row: dict[str, Any]) -> None:
    given = dict(row["input"])
    sender = given.pop("sender", {})
    known = {k: v for k, v in given.items() if k in ("allowFrom", "groupPolicy")}
    try:
        found = decide(tmp_path, known, sender=str(sender.get("id") or ""))
    except ValueError:
        assert row["expected"] == "deny", "a section that is not valid lets nobody in"
        return
    admitted = found.entry is Entry.ADMITTED
    if row["expected"] == "deny":
        assert not admitted, row["why"]
    elif row["expected"] == "allow":
        assert admitted, row["why"]


@pytest.mark.parametrize("sender", ["", " ", "*", "u1 ", "u\n1", "\0"])
def test_what_is_no_identity_is_denied(tmp_path: Path, sender: str) -> None:
    found = decide(tmp_path, {"allowFrom": ["*", "", " ", "u1 "]}, sender=sender)
    assert found.entry is Entry.DENIED


@pytest.mark.parametrize(
    ("config", "message", "role"),
    [
        ({"owners": ["u1"]}, {}, Role.OWNER),
        ({"allowFrom": ["u1"]}, {}, Role.USER),
        ({"allowFrom": ["u1|alice"]}, {}, Role.USER),
        ({"allowFrom": [1]}, {"sender": "1"}, Role.USER),
        ({"allowFrom": ["*"]}, {}, Role.USER),
        ({"allowFrom": ["*"]}, {"direct": False, "mentioned": True}, Role.GUEST),
        ({"allowFrom": ["union-1"]}, {"aliases": ("union-1",)}, Role.USER),
    ],
)
def test_roles(tmp_path: Path, config: Any, message: Any, role: Role) -> None:
    found = decide(tmp_path, config, **message)
    assert found.entry is Entry.ADMITTED and found.principal.role is role


@pytest.mark.parametrize(
    ("config", "message", "entry"),
    [
        ({}, {}, Entry.STRANGER),
        ({}, {"direct": False, "mentioned": True}, Entry.DENIED),
        ({"allowFrom": ["u1"]}, {"direct": False}, Entry.IGNORED),
        ({"allowFrom": ["u1"], "groupPolicy": "open"}, {"direct": False}, Entry.ADMITTED),
        ({"allowFrom": ["u1"], "groupPolicy": "allowlist"}, {"direct": False}, Entry.IGNORED),
        (
            {"allowFrom": ["u1"], "groupPolicy": "allowlist", "groupAllowFrom": ["c"]},
            {"direct": False},
            Entry.ADMITTED,
        ),
        (
            {"groupPolicy": "open", "groupAllowFrom": ["c"]},
            {"direct": False, "mentioned": True},
            Entry.DENIED,
        ),
    ],
)
def test_groups_and_strangers(tmp_path: Path, config: Any, message: Any, entry: Entry) -> None:
    assert decide(tmp_path, config, **message).entry is entry
