"""Pairing and states over HTTP, through the real front door."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from nanobot.context import SystemClock
from nanobot_gateway.pairing import PairingStore
from nanobot_testing import run

ROWS = json.loads((Path(__file__).parent / "corpora" / "origin_host.json").read_text())["items"]
CHANGES = ["approve", "deny", "revoke"]


def test_a_stranger_is_let_in(serve: Any) -> None:
    async def go() -> None:
        async with serve() as served, served.known() as client:
            waiting = served.store.request("telegram", "1001")
            assert waiting
            listed = (await client.get("/api/pairing")).json()
            assert listed["approved"] == {}
            (pending,) = listed["pending"]
            assert (pending["code"], pending["sender"]) == (waiting.code, "1001")
            assert pending["expires_at"] - pending["created_at"] == 600
            code = waiting.code.lower().replace("-", "")
            answer = await client.post("/api/pairing/approve", json={"code": code})
            assert answer.status_code == 200
            assert answer.json() == {"approved": {"channel": "telegram", "sender": "1001"}}
            assert served.store.is_approved("telegram", ("1001",)), "at once, for the gateway"
            assert (await client.get("/api/pairing")).json() == {
                "pending": [],
                "approved": {"telegram": ["1001"]},
            }
            again = await client.post("/api/pairing/approve", json={"code": waiting.code})
            assert again.status_code == 404

    run(go())


def test_a_stranger_is_turned_away(serve: Any) -> None:
    async def go() -> None:
        async with serve() as served, served.known() as client:
            waiting = served.store.request("telegram", "1001")
            answer = await client.post("/api/pairing/deny", json={"code": waiting.code})
            assert answer.json() == {"denied": {"channel": "telegram", "sender": "1001"}}
            assert served.store.pending() == [] and served.store.approved() == {}

    run(go())


def test_a_code_that_expired_lets_nobody_in(serve: Any, clock: Any) -> None:
    async def go() -> None:
        async with serve() as served, served.known() as client:
            waiting = served.store.request("telegram", "1001")
            clock.advance(601)
            answer = await client.post("/api/pairing/approve", json={"code": waiting.code})
            assert answer.status_code == 404 and "expired" in answer.json()["error"]["message"]
            assert served.store.approved() == {}

    run(go())


def test_an_approval_is_taken_back(serve: Any) -> None:
    async def go() -> None:
        async with serve() as served, served.known() as client:
            for channel in ("telegram", "telegram.work", "feishu"):
                served.store.approve(served.store.request(channel, "1001").code)
            one = {"sender": "1001", "channel": "feishu"}
            answer = await client.post("/api/pairing/revoke", json=one)
            assert answer.json() == {"revoked": {"sender": "1001", "channels": ["feishu"]}}
            answer = await client.post("/api/pairing/revoke", json={"sender": "1001"})
            assert answer.json()["revoked"]["channels"] == ["telegram", "telegram.work"]
            assert served.store.approved() == {}
            assert (await client.post("/api/pairing/revoke", json=one)).status_code == 404

    run(go())


def test_approvals_at_the_same_time_are_all_kept(serve: Any) -> None:
    async def go() -> None:
        async with serve() as served, served.known() as client:
            codes = [served.store.request("telegram", str(n)).code for n in range(20)]
            await asyncio.gather(
                *(client.post("/api/pairing/approve", json={"code": code}) for code in codes)
            )
            assert set(served.store.approved()["telegram"]) == {str(n) for n in range(20)}

    run(go())


def test_channels_are_listed_with_their_state(serve: Any) -> None:
    async def go() -> None:
        async with serve() as served, served.known() as client:
            answer = await client.get("/api/channels")
            assert answer.json() == {
                "channels": [
                    {"channel": "telegram", "account": "default", "state": "running"},
                    {
                        "channel": "telegram",
                        "account": "work",
                        "state": "failed: Telegram refuses the token",
                    },
                ]
            }

    run(go())


def test_a_gateway_that_can_not_tell_is_503(serve: Any) -> None:
    def broken() -> Any:
        raise RuntimeError("no idea")

    async def go() -> None:
        async with serve(health=broken) as served, served.known() as client:
            assert (await client.get("/api/channels")).status_code == 503

    run(go())


def test_a_damaged_file_is_said_and_kept(serve: Any, tmp_path: Path) -> None:
    file = tmp_path / "pairing.json"
    file.write_text("{")

    async def go() -> None:
        async with serve() as served, served.known() as client:
            for answer in (
                await client.get("/api/pairing"),
                await client.post("/api/pairing/approve", json={"code": "ABCD-2345"}),
            ):
                assert answer.status_code == 503
                assert "is damaged" in answer.json()["error"]["message"]
        assert file.read_text() == "{"

    run(go())


def test_another_process_sees_what_was_approved(serve: Any, tmp_path: Path) -> None:
    async def go() -> None:
        async with serve() as served, served.known() as client:
            code = served.store.request("telegram", "1001").code
            await client.post("/api/pairing/approve", json={"code": code})
        store = PairingStore(tmp_path / "pairing.json", SystemClock())
        assert store.approved() == {"telegram": ["1001"]}
        assert (tmp_path / "pairing.json").stat().st_mode & 0o777 == 0o600

    run(go())


# --- who may ask ----------------------------------------------------------------------------------


def test_nothing_is_told_without_the_token(serve: Any) -> None:
    async def go() -> None:
        async with serve() as served, served.client() as client:
            code = served.store.request("telegram", "1001").code
            answers = [await client.get("/api/pairing"), await client.get("/api/channels")]
            for change in CHANGES:
                body = {"code": code} if change != "revoke" else {"sender": "1001"}
                answers.append(await client.post(f"/api/pairing/{change}", json=body))
            answers.append(
                await client.get("/api/pairing", headers={"authorization": "Bearer wrong-token-x"})
            )
            assert {answer.status_code for answer in answers} == {401}
            assert not any(code in answer.text or "telegram" in answer.text for answer in answers)
            assert served.store.approved() == {} and len(served.store.pending()) == 1

    run(go())


def test_reading_changes_nothing_and_changing_is_no_reading(serve: Any) -> None:
    async def go() -> None:
        async with serve() as served, served.known() as client:
            for change in CHANGES:
                assert (await client.get(f"/api/pairing/{change}")).status_code == 405
            for path in ("pairing", "channels"):
                assert (await client.post(f"/api/{path}", json={})).status_code == 405
                assert (await client.put(f"/api/{path}", json={})).status_code == 405
                assert (await client.head(f"/api/{path}")).status_code == 200
            assert (await client.get("/api/secrets")).status_code == 404

    run(go())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['id']} {row['why']}")
def test_pages_from_elsewhere_approve_nobody(row: dict[str, Any], serve: Any) -> None:
    """A page that knows a code and even the token is refused like any other."""

    async def go() -> int:
        async with serve() as served:
            code = served.store.request("telegram", "1001").code
            body = json.dumps({"code": code})
            lines = [
                "POST /api/pairing/approve HTTP/1.1",
                *(f"{name}: {value}" for name, value in row["input"].items()),
                "Authorization: Bearer correct-horse-battery-staple",
                "Content-Type: application/json",
                f"Content-Length: {len(body)}",
                "",
                body,
            ]
            text = "\r\n".join(lines).replace(":8765", f":{served.port}")
            status = await served.raw(text.encode())
            approved = served.store.approved()
            assert approved == ({"telegram": ["1001"]} if status == 200 else {})
            return int(status)

    assert run(go()) == (200 if row["expected"] == "allow" else 403)


# --- what may be sent -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "not acceptable JSON"),
        ("{", "not acceptable JSON"),
        ('{"code": "ABCD-2345", "code": "X"}', "not acceptable JSON"),
        ("[]", "a JSON object"),
        ('"ABCD-2345"', "a JSON object"),
        ("{}", "'code' is missing"),
        ('{"code": null}', "'code' is a text"),
        ('{"code": 5}', "'code' is a text"),
        ('{"code": " "}', "'code' is a text"),
        ('{"code": ["ABCD-2345"]}', "'code' is a text"),
        ('{"code": "ABCD-2345", "sender": "1"}', "no field 'sender'"),
        ('{"code": "ÄÖÜ"}', "letters, digits and a hyphen"),
        ('{"code": "ABCD-2345\\n"}', "letters, digits and a hyphen"),
        (json.dumps({"code": "A" * 201}), "at most 200 letters"),
    ],
)
def test_a_body_that_is_not_right_is_told(serve: Any, body: str, told: str) -> None:
    async def go() -> None:
        kind = {"content-type": "application/json"}
        async with serve() as served, served.known(**kind) as client:
            served.store.request("telegram", "1001")
            answer = await client.post("/api/pairing/approve", content=body.encode())
            assert answer.status_code == 400 and told in answer.json()["error"]["message"]
            assert served.store.approved() == {}

    run(go())


def test_forms_and_long_bodies_are_refused(serve: Any) -> None:
    async def go() -> None:
        async with serve() as served, served.known() as client:
            url = "/api/pairing/approve"
            assert (await client.post(url, data={"code": "ABCD-2345"})).status_code == 415
            assert (await client.post(url, json={"code": "A" * 5000})).status_code == 413

    run(go())
