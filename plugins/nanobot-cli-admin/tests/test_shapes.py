"""Sections without a plugin of their own are held against what is known of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from nanobot.admin import Config
from nanobot.specs import Spec
from nanobot_cli_admin.claims import check
from nanobot_cli_admin.hosts import is_private

Load = Callable[..., Config]


def told(config: Config) -> str:
    return "\n".join(f"{finding.severity} {finding}" for finding in check(config, {}))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("channels", []),
        ("channels.sendProgres", True),
        ("channels.sendMaxRetries", 11),
        ("gateway", 5),
        ("gateway.prot", 1),
        ("gateway.port", 0),
        ("gateway.port", 65536),
        ("gateway.port", "8900a"),
        ("gateway.host", "a b"),
        ("gateway.host", "a\0b"),
        ("gateway.restartMode", "never"),
        ("api.apikey", "CANARY"),
        ("api.apiKey", ["CANARY"]),
        ("api.port", "CANARY"),
        ("api.port", -1),
        ("api.timeout", 0),
        ("api.apiKey", "${NOPE}"),
    ],
)
def test_what_does_not_fit_is_named(loaded: Load, setting: str, value: Any) -> None:
    for part in reversed(setting.split(".")):
        value = {part: value}
    line = told(loaded(value))
    assert line.startswith(f"error {setting}: ")
    assert len(line.splitlines()) == 1
    assert "CANARY" not in line


OPEN = ["", "0", "0.0.0.0", "::", "[::]", "*", "0x0", "00.0.0.0", "::0", "0:0:0:0:0:0:0:0"]


@pytest.mark.parametrize("host", [*OPEN, "192.168.1.5", "::ffff:0.0.0.0", "myhost"])
def test_an_api_open_to_others_needs_a_key(loaded: Load, host: str) -> None:
    for key in ({}, {"apiKey": ""}, {"apiKey": None}):
        assert "error api.host: is open to other" in told(loaded({"api": {"host": host, **key}}))
    config = loaded({"api": {"host": host, "apiKey": "${KEY}"}}, environ={"KEY": "CANARY"})
    assert told(config) == ""


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1", "[::1]"])
def test_an_api_on_this_machine_needs_none(loaded: Load, host: str) -> None:
    assert told(loaded({"api": {"host": host, "port": "${PORT}"}}, environ={"PORT": "1"})) == ""


def test_what_fits_or_is_a_plugins_own_is_not_mentioned(loaded: Load) -> None:
    config = loaded(
        {
            "channels": {"send_progress": False, "telegram": {"enabled": False}},
            "gateway": {"port": 1, "heartbeat": {"enabled": False}},
            "agents": {"subagentProfiles": {"a": {"tools": ["exec"], "max_iterations": 1}}},
        }
    )
    assert told(config) == ""


def test_a_plugin_that_reads_the_section_judges_it_itself(loaded: Load) -> None:
    spec = Spec(name="api", factory="x:y", section="api")
    config = loaded({"api": {"host": "0.0.0.0"}})
    assert [f.path for f in check(config, {"services": [spec]})] == ["api.host"]
    assert [f.message for f in check(config, {"services": [spec]})] == ["unknown key"]


def test_networks_from_the_environment_are_given_the_benefit_of_the_doubt() -> None:
    assert is_private("10.0.0.1", ["192.168.0.0/16"])
    assert not is_private("10.0.0.1", ["${MY_NETWORK}"])


def test_a_section_is_left_to_its_plugin_before_that_is_loaded(loaded: Load) -> None:
    config = loaded({"gateway": {"token": "t", "port": 1}})
    assert "unknown key" in told(config)
    assert not check(config, {}, installed={"services": ["http"]})
