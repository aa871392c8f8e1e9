"""Whatever is sent, the answer is one of ours, and nobody is let in by accident."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st
from nanobot.context import SystemClock
from nanobot_gateway.pairing import PairingStore
from nanobot_testing import run
from nanobot_web_gateway.app import GatewayApi

WORDS = st.sampled_from(["code", "sender", "channel", "telegram", "1001", "ABCD-2345", "", "*"])
TEXTS = WORDS | st.text(max_size=300)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(WORDS, TEXTS | VALUES, max_size=3)
BODIES = st.binary(max_size=60) | (OBJECTS | VALUES).map(lambda value: json.dumps(value).encode())
PATHS = st.sampled_from(["approve", "deny", "revoke"])


@settings(max_examples=300, deadline=None)
@given(path=PATHS, body=BODIES)
def test_any_body(path: str, body: bytes) -> None:
    async def go(file: Path) -> None:
        store = PairingStore(file, SystemClock())
        approved = store.request("feishu", "ou_known")
        assert approved and store.approve(approved.code) and store.request("telegram", "1001")
        api = GatewayApi(file, SystemClock())
        transport = httpx.ASGITransport(app=api.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answer = await client.post(f"/pairing/{path}", content=body)
        assert answer.status_code in (400, 404), (answer.status_code, answer.text)
        assert set(answer.json()["error"]) == {"message", "type"}
        assert store.approved() == {"feishu": ["ou_known"]} and len(store.pending()) == 1

    with TemporaryDirectory() as folder:
        run(go(Path(folder) / "pairing.json"))


@settings(max_examples=100, deadline=None)
@given(sender=st.text(min_size=1, max_size=200).filter(str.strip), channel=TEXTS)
def test_any_id_can_be_taken_back(sender: str, channel: str) -> None:
    async def go(file: Path) -> None:
        store = PairingStore(file, SystemClock())
        pending = store.request("telegram", sender)
        assert pending and store.approve(pending.code)
        transport = httpx.ASGITransport(app=GatewayApi(file, SystemClock()).app)
        body: dict[str, Any] = {"sender": sender, "channel": "telegram"}
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            other = await client.post("/pairing/revoke", json={**body, "channel": f"x{channel}"})
            assert other.status_code in (400, 404)
            answer = await client.post("/pairing/revoke", json=body)
        assert answer.json() == {"revoked": {"sender": sender, "channels": ["telegram"]}}
        assert store.approved() == {}

    with TemporaryDirectory() as folder:
        run(go(Path(folder) / "pairing.json"))
