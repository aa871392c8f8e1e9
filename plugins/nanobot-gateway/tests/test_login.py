"""``nanobot channels login``: what a channel's login gets, and what its owner is told."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from click.testing import CliRunner, Result
from nanobot.errors import AuthError, ConfigError
from nanobot.log import remember_secret
from nanobot_gateway.channel import ChannelContext
from nanobot_gateway.cli.channels import command

SECRET = "correct-horse-battery"


@pytest.fixture
def log_in(bench: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that runs the command with a login of the phone's."""

    def go(login: Any, *arguments: str, name: str = "phone") -> Result:
        if login:
            bench.spec["options"] = {"login": "nanobot_channel_phone:login"}
        bench._channel()
        sys.modules["nanobot_channel_phone"].login = login  # type: ignore[attr-defined]
        monkeypatch.setenv("NANOBOT_PLUGINS", ",".join(bench._ids))
        return CliRunner().invoke(command, ["login", name, "-c", str(bench.write()), *arguments])

    return go


def test_a_login_says_what_to_do_and_what_it_came_to(log_in: Any, bench: Any) -> None:
    seen: list[Any] = []

    async def login(config: Any, context: ChannelContext, console: Any) -> str:
        seen.extend((config, context))
        console("scan this")
        return "You are in."

    result = log_in(login)
    assert (result.exit_code, result.stdout) == (0, "scan this\nYou are in.\n")
    config, context = seen
    assert config.allow_from == ("*",)
    assert (context.id, context.account) == ("channels.phone", "default")
    assert context.data == bench.folder / "data" / "plugins" / "channels.phone"
    assert context.media.is_dir() and context.media.name == "phone"
    assert bench.phones == [], "nothing is connected"


def test_a_channel_may_be_logged_in_before_it_is_switched_on(log_in: Any, bench: Any) -> None:
    async def login(config: Any, context: Any, console: Any) -> str:
        return "in"

    bench.section = {"enabled": False}
    assert log_in(login).stdout == "in\n"


def test_an_account_has_its_own_settings(log_in: Any, bench: Any) -> None:
    async def login(config: Any, context: Any, console: Any) -> str:
        return f"{context.account} {context.id} {context.media.name} {config.allow_from}"

    bench.section["accounts"] = {"work": {"allowFrom": ["boss"]}, "off": {"enabled": False}}
    assert log_in(login, "--account", "work").stdout == (
        "work channels.phone.work phone.work ('boss',)\n"
    )
    result = log_in(login, "--account", "off")
    assert result.exit_code == 1 and "no account 'off' that is switched on" in result.output


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConfigError("the token is wrong", remedy="Set it."), "the token is wrong. Set it"),
        (AuthError("no.", provider="phone"), "no"),
        (OSError("no route"), "phone: OSError: no route"),
        (RuntimeError(f"refused {SECRET}"), "phone: RuntimeError: refused ***"),
    ],
)
def test_a_failure_is_one_line(log_in: Any, error: Exception, told: str) -> None:
    async def login(config: Any, context: Any, console: Any) -> str:
        raise error

    remember_secret(SECRET)
    result = log_in(login)
    assert (result.exit_code, result.output) == (1, f"Error: {told}\n")


def test_a_channel_without_a_login_says_so(log_in: Any) -> None:
    result = log_in(None)
    assert result.exit_code == 1
    assert "phone has no login: it connects with what stands in channels.phone." in result.output


def test_a_channel_that_is_not_installed_is_named(log_in: Any) -> None:
    result = log_in(None, name="pigeon")
    assert result.exit_code == 1 and "pip install nanobot-channel-pigeon" in result.output


def test_a_section_that_is_not_valid_is_named(log_in: Any, bench: Any) -> None:
    bench.section["groupPolicy"] = "sometimes"
    result = log_in(None)
    assert result.exit_code == 1 and "groupPolicy" in result.output
    assert len(result.output.splitlines()) == 1
