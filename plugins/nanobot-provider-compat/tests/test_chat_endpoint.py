"""Addresses, headers and time limits."""

from __future__ import annotations

from typing import Any

import pytest
from nanobot.config import ProviderConfig
from nanobot.errors import ConfigError
from nanobot.log import redact
from nanobot_provider_compat.endpoint import IDLE_VARIABLE, Endpoint, is_local, resolve
from nanobot_provider_compat.vendor import Vendor

CLOUD = Vendor(base_url="https://api.acme.test/v1")
LOCAL = Vendor(base_url="http://127.0.0.1:11434/v1", local=True)


def endpoint(vendor: Vendor = CLOUD, **section: Any) -> Endpoint:
    return resolve(ProviderConfig.model_validate(section), vendor, "providers.acme")


@pytest.mark.parametrize(
    ("vendor", "base", "url"),
    [
        (CLOUD, None, "https://api.acme.test/v1/x"),
        (CLOUD, "https://proxy.test/v1/", "https://proxy.test/v1/x"),
        (CLOUD, "https://proxy.test", "https://proxy.test/x"),
        (CLOUD, " https://proxy.test/v1 ", "https://proxy.test/v1/x"),
        (CLOUD, "https://proxy.test/v1/chat/completions", "https://proxy.test/v1/x"),
        (CLOUD, "https://proxy.test/v1?api-version=2", "https://proxy.test/v1/x?api-version=2"),
        (CLOUD, "http://[::1]:8000/v1", "http://[::1]:8000/v1/x"),
        (LOCAL, "http://box:11434", "http://box:11434/v1/x"),
        (LOCAL, "http://box:11434/", "http://box:11434/v1/x"),
        (LOCAL, "http://box:11434/other", "http://box:11434/other/x"),
    ],
)
def test_addresses(vendor: Vendor, base: str | None, url: str) -> None:
    assert endpoint(vendor, apiBase=base).url("/x") == url


def test_queries_are_merged() -> None:
    made = endpoint(apiBase="https://x.test/?a=1&b=2", extraQuery={"b": "3", "c": "ü"})
    assert made.url("/x") == "https://x.test/x?a=1&b=3&c=%C3%BC"


@pytest.mark.parametrize("base", ["api.acme.test/v1", "ftp://x.test", "https://", "http://x:y/v1"])
def test_a_wrong_address_is_named(base: str) -> None:
    with pytest.raises(ConfigError, match=r"providers\.acme\.apiBase"):
        endpoint(apiBase=base)


def test_a_missing_address_is_named() -> None:
    with pytest.raises(ConfigError, match=r"providers\.acme\.apiBase is not set") as caught:
        endpoint(Vendor())
    assert "http" in caught.value.remedy


def test_headers_in_their_order_of_power() -> None:
    vendor = Vendor(base_url="https://x.test", headers={"X-Title": "nanobot", "X-Other": "v"})
    headers = endpoint(vendor, apiKey=" k-123456 \n", extraHeaders={"x-title": "mine"}).headers
    assert headers["authorization"] == "Bearer k-123456"
    assert headers["x-title"] == "mine" and headers["x-other"] == "v"
    assert headers["user-agent"].startswith("nanobot/")


@pytest.mark.parametrize(
    ("section", "has_key"),
    [
        ({}, False),
        ({"apiKey": "  "}, False),
        ({"apiKey": "k"}, True),
        ({"extraHeaders": {"Authorization": "Bearer x"}}, True),
        ({"extraHeaders": {"api-key": "x"}}, True),
        ({"extraHeaders": {"x-title": "x"}}, False),
        ({"extraQuery": {"api_key": "x"}}, True),
        ({"extraQuery": {"version": "x"}}, False),
    ],
)
def test_a_key_is_found_wherever_it_is(section: dict[str, Any], has_key: bool) -> None:
    assert endpoint(**section).has_key is has_key


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"apiKey": "sk-1\nX-Evil: 1"}, "apiKey"),
        ({"apiKey": "schlüssel"}, "apiKey"),
        ({"extraHeaders": {"x-a": "1\r\n2"}}, "extraHeaders"),
        ({"extraHeaders": {"a b": "1"}}, "extraHeaders"),
    ],
)
def test_a_header_that_can_not_be_sent_is_named(section: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        endpoint(**section)
    assert "sk-1" not in str(caught.value) and "schl" not in str(caught.value)


def test_secrets_are_known_and_not_shown() -> None:
    made = endpoint(
        apiKey="opaque-value-1",
        extraHeaders={"x-auth-token": "opaque-value-2"},
        extraQuery={"key": "opaque-value-3"},
        proxy="http://u:opaque-value-4@p:1",
    )
    assert "opaque" not in repr(made)
    assert "opaque" not in redact("opaque-value-1 opaque-value-2 opaque-value-3")


def test_a_password_in_the_address_is_not_shown() -> None:
    made = endpoint(apiBase="https://me:opaque-value-5@x.test:8/v1")
    assert made.address == "https://x.test:8/v1" and made.has_key
    assert "opaque" not in repr(made) + redact("opaque-value-5")


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("a.localhost", True),
        ("host.docker.internal", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("10.1.2.3", True),
        ("192.168.0.9", True),
        ("8.8.8.8", False),
        ("api.acme.test", False),
        ("localhost.acme.test", False),
    ],
)
def test_local_hosts(host: str, local: bool) -> None:
    assert is_local(host) is local


def test_time_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(IDLE_VARIABLE, raising=False)
    assert endpoint().idle_s == 90
    assert endpoint(LOCAL).idle_s == 600
    monkeypatch.setenv(IDLE_VARIABLE, "12.5")
    assert endpoint().idle_s == endpoint(LOCAL).idle_s == 12.5
    monkeypatch.setenv(IDLE_VARIABLE, "99999")
    assert endpoint().idle_s == 3600
    for wrong in ("soon", "0", "-1", "nan"):
        monkeypatch.setenv(IDLE_VARIABLE, wrong)
        with pytest.raises(ConfigError, match=IDLE_VARIABLE):
            endpoint()
