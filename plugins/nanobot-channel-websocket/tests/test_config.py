"""Settings that can not be meant."""

from __future__ import annotations

from typing import Any

import pytest
from nanobot_channel_websocket.config import WebSocketConfig, is_loopback
from pydantic import ValidationError

PROXY = {"trustedPeerCidrs": ["10.0.0.1/32"], "assertionHeader": "X-User"}


def test_defaults() -> None:
    config = WebSocketConfig()
    assert (config.enabled, config.host, config.port, config.path) == (
        False,
        "127.0.0.1",
        8765,
        "/",
    )
    assert config.allow_from == config.owners == ("*",)
    assert config.max_message_bytes == 37748736 and config.websocket_requires_token


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"host": "0.0.0.0"}, "set token, tokenIssueSecret or trustedProxyAuth"),
        ({"host": "::"}, "other machines"),
        ({"host": ""}, "other machines"),
        ({"host": "0"}, "other machines"),
        ({"host": "192.168.1.2"}, "other machines"),
        ({"host": "0.0.0.0", "token": ""}, "other machines"),
        ({"port": 70000}, "less than or equal to 65535"),
        ({"path": "chat"}, "must be a path"),
        ({"path": "/chat?x=1"}, "must be a path"),
        ({"path": "//evil.example"}, "must be a path"),
        ({"tokenIssuePath": "/"}, "must differ from path"),
        ({"tokenIssuePath": "/chat/", "path": "/chat"}, "must differ from path"),
        ({"publicWsUrl": "https://x.example/"}, "ws:// or wss://"),
        ({"publicWsUrl": "wss://u:p@x.example/"}, "credentials"),
        ({"publicWsUrl": "wss://x.example/?a=b"}, "credentials, a query"),
        ({"publicWsUrl": "wss://x.example/other"}, "must be path"),
        ({"allowedOrigins": ["https://x.example/page"]}, "origins such as"),
        ({"allowedOrigins": ["x.example"]}, "origins such as"),
        ({"tokenTtlS": 29}, "greater than or equal to 30"),
        ({"maxMessageBytes": 41943041}, "less than or equal to 41943040"),
        ({"pingIntervalS": 4}, "greater than or equal to 5"),
        ({"sslCertfile": "/c.pem"}, "go together"),
        ({"unixSocketPath": "run/sock"}, "absolute path"),
        ({"trustedProxyAuth": {**PROXY, "trustedPeerCidrs": []}}, "at least 1 item"),
        ({"trustedProxyAuth": {**PROXY, "trustedPeerCidrs": ["0.0.0.0/0"]}}, "every address"),
        ({"trustedProxyAuth": {**PROXY, "trustedPeerCidrs": ["::/8"]}}, "every IPv4 address"),
        ({"trustedProxyAuth": {**PROXY, "trustedPeerCidrs": ["::ffff:0:0/96"]}}, "every IPv4"),
        ({"trustedProxyAuth": {**PROXY, "trustedPeerCidrs": ["10.0.0.0/33"]}}, "10.0.0.0/33"),
        ({"trustedProxyAuth": {**PROXY, "assertionHeader": "Host"}}, "where a request came from"),
        ({"trustedProxyAuth": {**PROXY, "assertionHeader": "X-Forwarded-User"}}, "came from"),
        ({"trustedProxyAuth": {**PROXY, "assertionHeader": "X User"}}, "name of an HTTP header"),
        ({"websocketRequireToken": True}, "Extra inputs"),
    ],
)
def test_what_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said.replace(".", r"\.")):
        WebSocketConfig.model_validate(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"host": "0.0.0.0", "token": "secret-1"},
        {"host": "::", "tokenIssueSecret": "secret-1"},
        {"host": "0.0.0.0", "trustedProxyAuth": PROXY},
        {"host": "localhost"},
        {"host": "::1"},
        {"token_issue_path": "", "public_ws_url": "", "token": "", "unixSocketPath": ""},
        {"path": "/chat/", "publicWsUrl": "wss://x.example/chat"},
        {"allowedOrigins": ["https://x.example", "http://localhost:5173"]},
    ],
)
def test_what_is_taken(settings: dict[str, Any]) -> None:
    WebSocketConfig.model_validate(settings)


def test_secrets_do_not_show() -> None:
    config = WebSocketConfig.model_validate({"token": "very-secret", "tokenIssueSecret": "other-s"})
    assert "very-secret" not in repr(config) and "other-s" not in str(config.model_dump_json())


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("[::1]", True), ("LOCALHOST", True),
        ("::ffff:127.0.0.1", True), ("0.0.0.0", False), ("localhost.evil.example", False),
        ("127.0.0.1.nip.io", False), ("", False), ("10.0.0.1", False),
    ],
)  # fmt: skip
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
