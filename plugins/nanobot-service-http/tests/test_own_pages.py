"""Health and metrics."""

from __future__ import annotations

from typing import Any

import pytest
from nanobot.log import remember_secret
from nanobot_gateway.service import Health
from nanobot_testing import run

ILL = Health(
    ok=False,
    parts={"channels.telegram": "failed: the token abc-secret-abc is wrong", "services.http": "up"},
    problems=["channels.feishu is not installed", "abc-secret-abc was refused"],
    counters={"turns": 3, "inbox.waiting": 2.5, 'odd"name\n': 1},
)


def answer(
    serve: Any, path: str, *, known: bool = False, health: Any = None, **headers: str
) -> Any:
    async def go() -> Any:
        options = {"health": health} if health else {}
        async with serve(**options) as served:
            client = served.known(**headers) if known else served.client(**headers)
            async with client:
                found = await client.get(path)
                head = await client.head(path)
            assert head.status_code == found.status_code
            assert not head.content
            assert head.headers["content-type"] == found.headers["content-type"]
            return found, served.log

    return run(go())


def test_all_is_well(serve: Any) -> None:
    found, _ = answer(serve, "/health")
    assert (found.status_code, found.content) == (200, b'{"status":"ok"}')
    assert found.headers["cache-control"] == "no-store"


def test_degraded_is_told_with_status_200(serve: Any) -> None:
    remember_secret("abc-secret-abc")
    found, _ = answer(serve, "/health", health=lambda: ILL)
    assert found.status_code == 200
    assert found.json() == {
        "status": "degraded",
        "problems": ["channels.feishu is not installed", "*** was refused"],
    }


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "via", "x-real-ip"])
def test_who_comes_through_a_proxy_reads_only_the_status(header: str, serve: Any) -> None:
    headers = {header: "127.0.0.1"}
    found, _ = answer(serve, "/health", health=lambda: ILL, **headers)
    assert found.json() == {"status": "degraded"}
    assert answer(serve, "/metrics", **headers)[0].status_code == 401
    assert answer(serve, "/metrics", known=True, **headers)[0].status_code == 200


def test_with_the_token_the_parts_are_told(serve: Any) -> None:
    remember_secret("abc-secret-abc")
    told = answer(serve, "/health", known=True, health=lambda: ILL)[0].json()
    assert told["parts"]["channels.telegram"] == "failed: the token *** is wrong"
    assert told["counters"]["turns"] == 3


def test_a_gateway_that_does_not_know_how_it_fares(serve: Any) -> None:
    def unknown() -> Health:
        raise RuntimeError("secret detail")

    found, log = answer(serve, "/health", health=unknown)
    assert (found.status_code, found.json()) == (503, {"status": "unknown"})
    assert "http_health_unknown" in log.of("error")
    assert "nanobot_healthy 0\n" in answer(serve, "/metrics", health=unknown)[0].text


def test_metrics(serve: Any) -> None:
    found, _ = answer(serve, "/metrics", health=lambda: ILL)
    assert found.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = found.text.splitlines()
    samples = [line for line in lines if not line.startswith("#")]
    assert "nanobot_healthy 0" in samples
    assert "nanobot_problems 2" in samples
    assert 'nanobot_part_state{part="channels.telegram",state="failed"} 1' in samples
    assert "nanobot_turns 3.0" in samples
    assert "nanobot_inbox_waiting 2.5" in samples
    assert "nanobot_odd_name 1.0" in samples
    assert found.text.endswith("\n") and "secret" not in found.text


def test_requests_are_counted_by_status(serve: Any) -> None:
    async def go() -> None:
        async with serve() as served, served.client() as client:
            for path in ("/health", "/health", "/nothing"):
                await client.get(path)
            text = (await client.get("/metrics")).text
            assert 'nanobot_http_requests_total{status="200"} 2\n' in text
            assert 'nanobot_http_requests_total{status="404"} 1\n' in text

    run(go())
