"""What is known as a secret, or looks like one, is not shown; other text is left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nanobot_settings import masking

relaxed = settings(deadline=None)  # a busy machine is no defect

ITEMS = json.loads((Path(__file__).parent / "corpora" / "log_secrets.json").read_text())["items"]

MORE = [
    ("ghp_", "CANARYCANARYCANARY"),
    ("glpat-", "CANARYCANARY"),
    ("AKIA", "CANARYCANARY"),
    ("AIza", "CANARYCANARY"),
    ("gsk_", "CANARYCANARY"),
    ("xai-", "CANARYCANARY"),
    ("sk_live_", "CANARYCANARY"),
    ("SG.", "CANARYCANARY.CANARY"),
    ("Authorization: Bearer ", "CANARY.CANARY"),
    ("authorization: basic ", "CANARY=="),
    ("Cookie: a=b; session=", "CANARY; c=d"),
    ("x-api-key: ", "CANARY"),
    ("https://user:", "CANARY@host/path"),
    ("https://", "CANARY@host/path"),
    ('{"apiKey": "', 'CANARY"}'),
    ('{\\"token\\":\\"', 'CANARY\\"}'),
    ("password='CANARY ", "CANARY'"),
    ("--token ", "CANARY"),
    ("https://example.com/v1?x=1&key=", "CANARY"),
    ("token%3D", "CANARY"),
    ("https://hooks.slack.com/services/T0/B0/", "CANARY"),
    ("https://discord.com/api/webhooks/1/", "CANARY"),
    ("https://open.feishu.cn/open-apis/bot/v2/hook/", "CANARY"),
    ("-----BEGIN RSA PRIVATE KEY-----\\n", "CANARY"),
    ("pairing code is ", "CANARY"),
    ("Incorrect API key provided: ", "CANARY"),
]

PLAIN = [
    "the token budget is 5000",
    "usage: input_tokens=512 output_tokens=7",
    '{"completion_tokens": 12, "maxTokens": 8192}',
    "key=value; monkey: banana",
    "see https://example.com/a?b=c&d=e@f",
    "a task-based, risk-averse approach",
    "basic authentication is not supported",
    "password must not be empty",
    "listening on 127.0.0.1:18790",
    "commit 0123456789abcdef0123456789abcdef01234567",
    "2026-01-02T03:04:05Z",
]


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_known", [])


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item["id"])
def test_masks_the_corpus(item: dict[str, dict[str, list[str]]]) -> None:
    shown = masking.redact("failed: " + "".join(item["input"]["join"]))
    assert "CANARY" not in shown
    assert "ABCD" not in shown
    assert masking.MASK in shown


@pytest.mark.parametrize(("start", "secret"), MORE)
def test_masks_other_shapes(start: str, secret: str) -> None:
    assert "CANARY" not in masking.redact(f"failed: {start}{secret}")


@pytest.mark.parametrize("text", PLAIN)
def test_leaves_plain_text_alone(text: str) -> None:
    assert masking.redact(text) == text


@relaxed
@given(st.text(alphabet=" -:=/@?&.'\"\\{}tokensecr*bpA1\n", max_size=120))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    once = masking.redact(text)
    assert masking.redact(once) == once


def test_known_secrets_are_masked_wherever_they_stand() -> None:
    for secret in ("hunter", "hunter/2 extended", "short"):
        masking.remember_secret(secret)
    assert masking.redact("x hunter/2 extended y") == "x *** y"
    assert masking.redact("at hunter%2F2%20extended!") == "at ***!"
    assert masking.redact("in short") == "in short"
