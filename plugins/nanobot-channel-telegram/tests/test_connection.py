"""The connection to Telegram, and its settings."""

from __future__ import annotations

import asyncio
import io
import logging
from pathlib import Path
from typing import Any

import pytest
from nanobot import log
from nanobot.errors import ConfigError, NanobotError
from nanobot.specs import CommandSpec
from nanobot_channel_telegram.config import TelegramConfig
from nanobot_testing import run
from nanobot_testing.contracts.channel import Host


def ended(
    api: Any, open_channel: Any, folder: Path, *, account: str = "default", **config: Any
) -> Any:
    """Return the error that the run of a channel ends with."""

    async def inside() -> Exception:
        async with api.BotApi() as server:
            section = {**server.config, **config}
            for fault in config.pop("faults", ()):
                server.fail("getUpdates", fault)
                section.pop("faults", None)
            with pytest.raises(NanobotError) as caught:
                async with open_channel(section, folder, Host(), account=account) as (channel, _):
                    await channel.run()
            return caught.value

    return run(inside())


def test_without_a_token_the_error_says_where_to_get_one(
    api: Any, open_channel: Any, tmp_path: Path
) -> None:
    error = ended(api, open_channel, tmp_path, token="")
    assert isinstance(error, ConfigError)
    assert "channels.telegram.token" in error.message and "@BotFather" in error.remedy


@pytest.mark.parametrize(
    ("account", "setting"),
    [
        ("default", "channels.telegram.token"),
        ("work", "channels.telegram.accounts.work.token"),
    ],
)
def test_a_wrong_token_names_the_setting(
    api: Any, open_channel: Any, tmp_path: Path, account: str, setting: str
) -> None:
    wrong = "1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    error = ended(api, open_channel, tmp_path, account=account, token=wrong)
    assert isinstance(error, ConfigError)
    assert setting in error.message and setting in error.remedy
    assert wrong not in f"{error!r} {error} {error.__cause__}"


def test_a_second_reader_is_told_and_may_pass(api: Any, open_channel: Any, tmp_path: Path) -> None:
    conflict = api.Refused(409, "Conflict: terminated by other getUpdates request")
    error = ended(api, open_channel, tmp_path, faults=[conflict])
    assert not isinstance(error, ConfigError)  # once the other one stops, this one goes on
    assert "another program" in error.message and "channels.telegram.token" in error.message
    assert "bot of its own" in error.remedy


def test_two_real_readers_end_each_other(api: Any, open_channel: Any, tmp_path: Path) -> None:
    async def inside() -> None:
        async with (
            api.BotApi() as server,
            open_channel(server.config, tmp_path / "1", Host()) as (one, _),
            open_channel(server.config, tmp_path / "2", Host()) as (two, _),
        ):
            runs = [asyncio.create_task(each.run()) for each in (one, two)]
            done, left = await asyncio.wait(runs, return_when=asyncio.FIRST_COMPLETED)
            assert "another program" in str(done.pop().exception())
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    run(inside())


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_failing_server_ends_the_run_not_the_channel(
    api: Any, open_channel: Any, tmp_path: Path, status: int
) -> None:
    """Only `getMe` decides about the token: a proxy may say 404 for a moment."""
    error = ended(api, open_channel, tmp_path, faults=[api.Refused(status, "Oops")])
    assert not isinstance(error, ConfigError)


def test_a_webhook_that_is_still_set_is_removed(connected: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        await server.write(text="waiting since then")
        await host.until(1)
        assert server.webhook == ""

    connected(work)


def test_commands_are_offered_as_a_menu(connected: Any) -> None:
    commands = [
        CommandSpec(name="dream-log", factory="x:y", description="Show what dreams changed."),
        CommandSpec(name="long", factory="x:y", description="y" * 300),
        CommandSpec(name="bare", factory="x:y"),
    ]

    async def work(channel: Any, server: Any, host: Host) -> list[dict[str, str]]:
        (call,) = await server.called("setMyCommands")
        return list(call.data["commands"])

    menu = connected(work, context={"commands": lambda: commands})
    assert [entry["command"] for entry in menu] == ["dream_log", "long", "bare"]
    assert menu[0]["description"] == "Show what dreams changed."
    assert len(menu[1]["description"]) == 256 and menu[2]["description"] == "bare"


def test_a_menu_that_is_refused_stops_nothing(connected: Any, api: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        await server.tried("setMyCommands")
        await server.write(text="hi")
        await host.until(1)

    commands = [CommandSpec(name="x", factory="x:y", description=" ")]
    connected(work, context={"commands": lambda: commands})


def test_everything_goes_through_the_proxy(connected: Any, api: Any) -> None:
    """No name of the address is resolved here: only the proxy is asked."""

    async def work(channel: Any, server: Any, host: Host) -> None:
        server.files["f1"] = b"words"
        await server.write(document={"file_id": "f1", "file_unique_id": "f1"})
        (message,) = await host.until(1)
        assert Path(message.parts[0].path).read_bytes() == b"words"
        assert server.proxied >= len(server.calls) + len(server.offsets)

    connected(work, apiBase="http://bots.invalid", proxy=lambda server: server.config["apiBase"])


def test_the_token_reaches_no_log(connected: Any, out: Any, api: Any) -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in ("", "httpx", "telegram")}
    root.addHandler(handler)
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:

        async def work(channel: Any, server: Any, host: Host) -> None:
            server.files["f1"] = b"x"
            await server.write(document={"file_id": "f1", "file_unique_id": "f1"})
            await host.until(1)
            await channel.send(out("hi"))

        connected(work)
    finally:
        root.removeHandler(handler)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
    text = written.getvalue()
    assert "/getMe" in text and "***" in text
    assert api.TOKEN not in text and api.TOKEN.split(":")[1] not in text


def test_logs_are_left_alone_afterwards(connected: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> int:
        return len(logging.getLogger("httpx").filters)

    assert connected(work) == 1
    assert not logging.getLogger("httpx").filters


# --- settings -------------------------------------------------------------------------------------


def test_a_section_of_an_older_configuration_loads() -> None:
    config = TelegramConfig.model_validate(
        {
            "enabled": True,
            "token": "1:a",
            "mode": "polling",
            "webhookUrl": "",
            "webhook_listen_host": "127.0.0.1",
            "webhookMaxConnections": 4,
            "richMessages": False,
            "base_url": "https://bots.example/",
            "allow_from": [123, "ann"],
            "streamEditInterval": 0.6,
        }
    )
    assert config.api_base == "https://bots.example"
    assert config.allow_from == ("123", "ann")


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"mode": "webhook"}, "polling"),
        ({"richMessages": True}, "richMessages"),
        ({"proxy": "ftp://x"}, "socks5://"),
        ({"proxy": "socks5://"}, "its host"),
        ({"apiBase": "api.telegram.org"}, "https://api.telegram.org"),
        ({"streamEditInterval": 0}, "streamEditInterval"),
        ({"tokn": "x"}, "tokn"),
    ],
)
def test_a_wrong_setting_is_refused_with_words(section: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TelegramConfig.model_validate(section)


def test_an_open_group_needs_the_privacy_mode_off(connected: Any, capsys: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        return None

    log.configure(level="warning")  # standard error is another one for each test
    connected(work, groupPolicy="open")
    assert "/setprivacy" in capsys.readouterr().err
    connected(work)
    assert "/setprivacy" not in capsys.readouterr().err
