"""Secrets do not reach the log."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog
from nanobot import log
from nanobot_settings import masking


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(masking, "_known", [])
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("as_json", [True, False])
def test_a_record_holds_no_secret(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    log.configure(level="info", json=as_json)
    log.remember_secret("CANARY-known")
    try:
        raise ValueError("token=CANARY")
    except ValueError:
        log.get(plugin="x").info(
            "sent sk-" + "CANARYCANARY",
            api_key="CANARY",
            headers={"Authorization": "CANARY", "Cookie": b"CANARY"},
            items=["CANARY-known", ("password=CANARY",)],
            usage={"tokens": 12},
            exc_info=True,
        )
    shown = capsys.readouterr().err
    assert "CANARY" not in shown
    assert "ValueError" in shown
    assert "12" in shown


def test_levels_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(level="warning", json=True)
    log.get().info("quiet")
    log.get().warning("loud", channel="telegram")
    record = json.loads(capsys.readouterr().err)
    assert record["event"] == "loud"
    assert record["level"] == "warning"
    assert record["channel"] == "telegram"
