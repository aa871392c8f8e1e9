"""What the section `gateway` may hold."""

from __future__ import annotations

import pytest
from nanobot_service_http.config import HttpConfig
from pydantic import ValidationError


def test_every_field_is_described() -> None:
    assert all(field.description for field in HttpConfig.model_fields.values())


def test_the_keys_of_others_are_passed_over() -> None:
    section = {"heartbeat": {"enabled": True}, "restartMode": "exec", "store": "sqlite", "port": 1}
    assert HttpConfig.model_validate(section).port == 1


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("alowedHosts", "allowedHosts"),
        ("AllowedHosts", "allowedHosts"),
        ("allowed_origin", "allowedOrigins"),
        ("tokens", "token"),
        ("hosts", "host"),
        ("maxBodyByte", "maxBodyBytes"),
    ],
)
def test_a_misspelt_key_is_refused_with_the_one_that_was_meant(key: str, meant: str) -> None:
    with pytest.raises(ValidationError, match=f"{key}: unknown key; did you mean {meant}"):
        HttpConfig.model_validate({key: "x"})


@pytest.mark.parametrize(
    "section",
    [
        {"host": ""},
        {"host": "0"},
        {"host": "http://127.0.0.1"},
        {"host": "two words"},
        {"port": 70000},
        {"port": -1},
        {"token": "short"},
        {"allowedHosts": ["*"]},
        {"allowedHosts": ["https://bot.example.com"]},
        {"allowedHosts": ["user@bot.example.com"]},
        {"allowedOrigins": ["*"]},
        {"allowedOrigins": ["null"]},
        {"allowedOrigins": ["https://bot.example.com/"]},
        {"allowedOrigins": ["bot.example.com"]},
        {"maxBodyBytes": 0},
        {"requestTimeoutS": 0},
        {"maxConcurrent": 0},
    ],
    ids=str,
)
def test_what_can_not_work_is_refused(section: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        HttpConfig.model_validate(section)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "0.0.0.0", "fe80::1%eth0"])
def test_what_can_be_listened_on(host: str) -> None:
    assert HttpConfig.model_validate({"host": host}).host == host


def test_the_token_does_not_show() -> None:
    config = HttpConfig.model_validate({"token": "correct-horse-battery-staple"})
    assert "horse" not in repr(config) + config.model_dump_json()
