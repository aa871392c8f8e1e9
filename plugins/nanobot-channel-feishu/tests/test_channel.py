"""The section of the configuration, and what is said when the platform refuses the app."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from nanobot.errors import ConfigError, NanobotError
from nanobot_channel_feishu.channel import open_channel
from nanobot_channel_feishu.config import FeishuConfig
from nanobot_testing import run
from nanobot_testing.contracts.channel import Host, channel_context
from nanobot_testing.host import load_spec
from pydantic import ValidationError

Live = Callable[..., Any]


def section(**values: object) -> FeishuConfig:
    return FeishuConfig.model_validate(values)


# --- configuration --------------------------------------------------------------------------------


def test_defaults_are_closed() -> None:
    made = section()
    assert not made.enabled and made.allow_from == () and made.group_policy == "mention"
    assert made.site == "https://open.feishu.cn"
    assert section(domain="lark").site == "https://open.larksuite.com"
    assert section(domain="https://feishu.corp.test/").site == "https://feishu.corp.test"


@pytest.mark.parametrize(
    "domain",
    ["fieshu", "http://feishu.corp.test", "https://a@b.test", "https://b.test/path", "https://"],
)
def test_a_secret_goes_nowhere_else(domain: str) -> None:
    with pytest.raises(ValidationError):
        section(domain=domain)


def test_older_sections_load() -> None:
    made = section(
        enabled=True,
        app_id="cli_1",
        appSecret="s",
        encryptKey="",
        verificationToken="",
        identityKey="feishu:cli_1",
        name="nanobot",
        instanceId="default",
        toolHintPrefix="x",
        displayName="Bot",
        avatarUrl="https://x.test/a.png",
        identityFetchedAt="2026-01-01",
        allowFrom=["ou_1"],
    )
    assert made.app_id == "cli_1" and made.allow_from == ("ou_1",) and not made.encrypt_key


def test_instances_are_accounts() -> None:
    made = section(
        enabled=True,
        react_emoji="OK",
        instances=[
            {"name": "Main", "appId": "cli_1", "appSecret": "s1", "allowFrom": ["ou_1"]},
            {"instance_id": "work", "app_id": "cli_2", "app_secret": "s2", "domain": "lark"},
            {"app_id": "cli_3", "reactEmoji": "WAVE"},
        ],
    )
    assert (made.app_id, made.allow_from, made.react_emoji) == ("cli_1", ("ou_1",), "OK")
    assert set(made.accounts) == {"work", "assistant-3"}
    outer = {k: v for k, v in made.model_dump(by_alias=True).items() if k != "accounts"}
    work = FeishuConfig.model_validate({**outer, **made.accounts["work"]})
    assert (work.app_id, work.site, work.react_emoji) == (
        "cli_2",
        "https://open.larksuite.com",
        "OK",
    )
    assert work.allow_from == ()  # who may talk to the first one may not talk to this one
    third = FeishuConfig.model_validate({**outer, **made.accounts["assistant-3"]})
    assert (third.app_id, third.react_emoji) == ("cli_3", "WAVE")
    assert not third.app_secret


def test_the_default_instance_is_the_section() -> None:
    made = section(instances=[{"id": "a", "appId": "cli_1"}, {"id": "default", "appId": "cli_2"}])
    assert made.app_id == "cli_2" and made.accounts["a"]["appId"] == "cli_1"


@pytest.mark.parametrize(
    "instances", [{"a": 1}, ["a"], [{"id": "a/b"}], [{"id": "a"}, {"id": "a"}]]
)
def test_instances_that_make_no_sense_are_refused(instances: object) -> None:
    with pytest.raises(ValidationError, match="instances"):
        section(instances=instances)


def test_secrets_are_not_shown() -> None:
    made = section(appSecret="hidden-1", encryptKey="hidden-2", verificationToken="hidden-3")
    assert "hidden" not in repr(made) + str(made) + made.model_dump_json()


# --- refused apps ---------------------------------------------------------------------------------


def refused(
    feishu: ModuleType, folder: Path, account: str = "default", **values: object
) -> NanobotError:
    """Return what running a channel with some settings ends in."""

    async def inside() -> NanobotError:
        async with feishu.FeishuServer() as server:
            server.refusals.extend(values.pop("refusals", ()))  # type: ignore[arg-type]
            config = FeishuConfig.model_validate({**server.config, **values})
            context = channel_context(load_spec("channels.feishu"), folder, Host(), "feishu")
            object.__setattr__(context, "account", account)
            async with open_channel(config, context) as channel:
                with pytest.raises(NanobotError) as caught:
                    await channel.run()
                return caught.value

    return run(inside())


@pytest.mark.parametrize("missing", ["appId", "appSecret"])
def test_what_is_not_set_is_named(feishu: ModuleType, tmp_path: Path, missing: str) -> None:
    error = refused(feishu, tmp_path, **{missing: ""})
    assert isinstance(error, ConfigError)
    assert error.message == f"channels.feishu.{missing} is not set" and error.remedy


def test_a_wrong_secret_is_named_and_not_shown(feishu: ModuleType, tmp_path: Path) -> None:
    error = refused(feishu, tmp_path, account="work", appSecret="wrong-secret-value")
    assert isinstance(error, ConfigError)
    assert "channels.feishu.accounts.work.appId" in error.message
    assert "channels.feishu.accounts.work.appSecret" in error.message
    assert "10014" in error.message and "wrong-secret-value" not in str(error)


@pytest.mark.parametrize(
    ("path", "code", "status", "final"),
    [
        ("/auth/v3", 99991400, 400, False),
        ("/auth/v3", 2200, 500, False),
        ("/bot/v3", 11205, 400, True),
        ("/bot/v3", 2200, 500, False),
        ("/callback", 403, 200, True),
        ("/callback", 1, 200, False),
        ("/callback", 1000040350, 200, False),
    ],
)
def test_only_what_a_setting_can_mend_is_final(
    feishu: ModuleType, tmp_path: Path, path: str, code: int, status: int, final: bool
) -> None:
    refusal = feishu.Refusal(path, code, "because", status)
    error = refused(feishu, tmp_path, refusals=[refusal])
    assert isinstance(error, ConfigError) is final
    assert "because" in error.message and bool(error.remedy) is final


def test_a_used_up_ticket_is_told(feishu: ModuleType, tmp_path: Path) -> None:
    # A fixture hands the server's module over: mypy can not see its classes.
    class Forgetful(feishu.FeishuServer):  # type: ignore[misc, name-defined]
        def _endpoint(self, body: Any) -> Any:
            answer = super()._endpoint(body)
            self._tickets.clear()
            return answer

    async def inside() -> None:
        async with Forgetful() as server:
            config = FeishuConfig.model_validate(server.config)
            context = channel_context(load_spec("channels.feishu"), tmp_path, Host(), "feishu")
            async with open_channel(config, context) as channel:
                with pytest.raises(NanobotError) as caught:
                    await channel.run()
                assert "no ticket" in caught.value.message
                assert "ticket=" not in str(caught.value)

    run(inside())


def test_the_loss_of_the_connection_is_no_matter_of_settings(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        await server.drop()
        await server.until(lambda: server.connections == 2)
        await server.say("still there?")
        await host.until(1)
        assert host.readies == 2

    live(work)


def test_nothing_of_the_sdk_is_logged(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    """It would print the address of the connection, with its ticket."""

    async def work(channel: Any, server: Any, host: Host) -> None:
        await server.say("hello")
        await host.until(1)
        await server.drop()
        await server.until(lambda: server.connections == 2)

    live(work)
    assert not [record for record in caplog.records if record.name == "Lark"]
