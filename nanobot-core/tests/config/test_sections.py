"""Sections of plugins: found in either spelling, validated, secrets kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from nanobot import log
from nanobot._config import Config
from nanobot._config.config import section_path
from nanobot.errors import ConfigError
from nanobot.specs import Spec
from nanobot_settings import masking

Load = Callable[..., Config]
Names = dict[str, Spec]


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_known", [])


def refused(config: Config, spec: Spec, kind: str) -> str:
    with pytest.raises(ConfigError) as caught:
        config.section(spec, kind)
    assert "CANARY" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["azureOpenai", "azure_openai"])
@pytest.mark.parametrize("key", ["apiKey", "api_key"])
def test_both_spellings_are_read(loaded: Load, by_name: Names, name: str, key: str) -> None:
    config = loaded({"providers": {name: {key: "CANARY-KEY"}}})
    section: Any = config.section(by_name["azure_openai"], "providers")
    assert section.api_key.reveal() == "CANARY-KEY"


def test_an_unset_section_gives_the_defaults(loaded: Load, by_name: Names) -> None:
    for document in ({}, {"tools": {}}, {"tools": {"exec": {}}}, {"tools": {"exec": None}}):
        section: Any = loaded(document).section(by_name["exec"], "tools")
        assert (section.timeout, section.sandbox, section.enabled) == (60, "auto", True)


def test_a_section_may_stand_elsewhere(loaded: Load, by_name: Names) -> None:
    heartbeat = by_name["heartbeat"]
    assert section_path(heartbeat, "services") == ("gateway", "heartbeat")
    assert section_path(by_name["azure_openai"], "providers") == ("providers", "azureOpenai")
    config = loaded({"gateway": {"heartbeat": {"enable": False}}})
    assert config.section(heartbeat, "services").enabled is False


def test_another_name_can_be_adopted(loaded: Load, by_name: Names) -> None:
    config = loaded({"providers": {"my-llm": {"apiBase": "http://localhost:1"}}})
    section: Any = config.section(by_name["custom"], "providers", name="my-llm")
    assert section.api_base == "http://localhost:1"


def test_what_is_wrong_is_named_without_values(loaded: Load, by_name: Names) -> None:
    config = loaded(
        {
            "channels": {
                "telegram": {
                    "token": 5,
                    "alowFrom": ["CANARY"],
                    "allowFrom": ["CANARY", 123],
                    "peers": {"a": {"chatId": []}, "CANARY b": {}},
                    "reply": {"chat_id": "CANARY", "pinCod": "CANARY"},
                }
            }
        }
    )
    message = refused(config, by_name["telegram"], "channels")
    for line in (
        "channels.telegram.token: should be a valid string, found an integer",
        "channels.telegram.alowFrom: unknown key; did you mean allowFrom?",
        "channels.telegram.allowFrom[1]: should be a valid string, found an integer",
        "channels.telegram.peers.a.chatId: should be a valid string, found a list",
        "channels.telegram.peers.<redacted>.chatId: is required",
        "channels.telegram.reply.pinCod: unknown key; did you mean pinCode?",
    ):
        assert line in message
    assert "6 problems" in message


def test_a_validators_own_words_are_told_without_the_value(loaded: Load, by_name: Names) -> None:
    config = loaded({"channels": {"telegram": {"token": "x", "host": "CANARY.example"}}})
    message = refused(config, by_name["telegram"], "channels")
    assert message.endswith("channels.telegram.host: *** is open")


@pytest.mark.parametrize(("value", "kind"), [([], "a list"), ("x", "a string"), (1, "an integer")])
def test_a_section_that_is_no_object_is_refused(
    loaded: Load, by_name: Names, value: object, kind: str
) -> None:
    config = loaded({"providers": {"openai": value}})
    message = refused(config, by_name["openai"], "providers")
    assert f"providers.openai: should be an object, found {kind}" in message
    with pytest.raises(ConfigError, match="should be an object"):
        config.raw_section("providers.openai")


def test_a_section_or_key_in_both_spellings_is_refused(loaded: Load, by_name: Names) -> None:
    config = loaded({"providers": {"azureOpenai": {}, "azure_openai": {}}})
    assert "is set in both spellings" in refused(config, by_name["azure_openai"], "providers")
    config = loaded({"providers": {"openai": {"apiKey": "CANARY1", "api_key": "CANARY2"}}})
    assert "providers.openai.api_key" in refused(config, by_name["openai"], "providers")


def test_secrets_are_masked_from_then_on(loaded: Load, by_name: Names) -> None:
    config = loaded(
        {
            "channels": {
                "telegram": {
                    "token": "CANARY-TOKEN",
                    "peers": {"a": {"chatId": "1", "pinCode": "CANARY-PIN"}},
                }
            },
            "tools": {"mcpServers": {"a": {"env": {"MY_TOKEN": "CANARY-ENV"}}}},
        }
    )
    assert "CANARY" not in log.redact("CANARY-TOKEN CANARY-ENV")
    assert "CANARY" in log.redact("CANARY-PIN")
    section = config.section(by_name["telegram"], "channels")
    assert "CANARY" not in log.redact("CANARY-TOKEN CANARY-PIN CANARY-ENV")
    assert "CANARY" not in repr(section)


def test_names_of_sections_leave_out_what_is_shared(loaded: Load) -> None:
    config = loaded(
        {
            "tools": {
                "restrictToWorkspace": True,
                "ssrfWhitelist": [],
                "exec": {},
                "my": {},
                "x": 1,
            },
            "channels": {"send_progress": True, "telegram": {}},
            "providers": {"azureOpenai": {}, "my-llm": {}, "bad": 1},
        }
    )
    assert config.section_names("tools") == ("exec", "my")
    assert config.section_names("channels") == ("telegram",)
    assert config.section_names("providers") == ("azureOpenai", "my-llm")
    assert config.section_names("search") == ()


def test_a_raw_section_is_a_copy(loaded: Load) -> None:
    config = loaded({"tools": {"web": {"search": {"apiKey": "${X}"}}}})
    config.raw_section("tools.web")["search"].clear()
    assert config.raw_section("tools.web") == {"search": {"apiKey": "${X}"}}
    assert config.raw_section("tools.nothing") == {}


def test_a_plugin_can_be_off_although_its_section_does_not_fit(
    loaded: Load, by_name: Names
) -> None:
    config = loaded({"channels": {"telegram": {"enabled": False, "token": "${NOPE}"}}})
    assert config.is_off(by_name["telegram"], "channels")
    assert not config.is_off(by_name["exec"], "tools")
