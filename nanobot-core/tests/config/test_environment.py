"""What the environment adds is used and never saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nanobot import log
from nanobot._config import Config
from nanobot._config.document import save_document
from nanobot.errors import ConfigError
from nanobot.specs import Spec
from nanobot_settings import masking

Load = Callable[..., Config]


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_known", [])


def test_references_are_resolved_at_any_depth_at_use(
    loaded: Load, by_name: dict[str, Spec]
) -> None:
    section = {
        "apiKey": "${MY_KEY}",
        "apiBase": "https://${HOST}/v${N}",
        "extraBody": {"a": [{"b": "x${N}${N}"}]},
        "displayName": "$HOME ${} ${1X} $${",
    }
    config = loaded(
        {"providers": {"openai": section}},
        environ={"MY_KEY": "CANARY-KEY", "HOST": "example.com", "N": "1"},
    )
    openai: Any = config.section(by_name["openai"], "providers")
    assert openai.api_key.reveal() == "CANARY-KEY"
    assert openai.api_base == "https://example.com/v1"
    assert openai.extra_body == {"a": [{"b": "x11"}]}
    assert openai.display_name == "$HOME ${} ${1X} $${"
    assert config.raw_section("providers.openai") == section
    assert config.document.data == {"providers": {"openai": section}}
    assert log.redact("it is CANARY-KEY") == "it is ***"


def test_a_missing_variable_is_named_with_every_place_that_needs_it(
    loaded: Load, by_name: dict[str, Spec]
) -> None:
    config = loaded(
        {"providers": {"openai": {"apiKey": "${NOPE}", "extraHeaders": {"x y": "${ALSO}"}}}}
    )
    with pytest.raises(ConfigError) as caught:
        config.section(by_name["openai"], "providers")
    message = str(caught.value)
    assert "providers.openai.apiKey: the environment variable NOPE is not set" in message
    assert "providers.openai.extraHeaders.<redacted>: the environment variable ALSO" in message


def test_a_missing_variable_stops_only_what_uses_it(loaded: Load, by_name: dict[str, Spec]) -> None:
    loaded({"tools": {"exec": {"sandbox": "${NOPE}"}}, "other": {"x": "${NOPE}"}})
    with pytest.raises(ConfigError, match=r"agents\.defaults\.model: the environment variable"):
        loaded({"agents": {"defaults": {"model": "${NOPE}"}}})


def test_a_reference_may_stand_for_a_number(loaded: Load, by_name: dict[str, Spec]) -> None:
    config = loaded(
        {
            "agents": {
                "defaults": {
                    "maxTokens": "${PORT}",
                    "botName": "${PORT}",
                    "unifiedSession": "${YES}",
                }
            },
            "tools": {"exec": {"timeout": "${PORT}", "allowedEnvKeys": "${LIST}"}},
        },
        environ={"PORT": "8080", "YES": "true", "LIST": '["LANG"]'},
    )
    assert config.core.agents.defaults.max_tokens == 8080
    assert config.core.agents.defaults.bot_name == "8080"
    assert config.core.agents.defaults.unified_session is True
    section: Any = config.section(by_name["exec"], "tools")
    assert (section.timeout, section.allowed_env_keys) == (8080, ["LANG"])
    with pytest.raises(ConfigError, match=r"agents\.defaults\.maxTokens"):
        loaded({"agents": {"defaults": {"maxTokens": "${PORT}"}}}, environ={"PORT": "no"})


def test_variables_stand_for_settings(loaded: Load, by_name: dict[str, Spec]) -> None:
    config = loaded(
        {"providers": {"openai": {"apiKey": "old", "api_base": "https://old"}}},
        environ={
            "NANOBOT_PROVIDERS__OPENAI__API_KEY": "CANARY-KEY",
            "NANOBOT_PROVIDERS__OPENAI__API_BASE": "https://new",
            "NANOBOT_PROVIDERS__AZURE_OPENAI__API_KEY": "12345678901234567890",
            "NANOBOT_PROVIDERS__AZURE_OPENAI__EXTRA_HEADERS": '{"X-A": "b"}',
            "NANOBOT_AGENTS__DEFAULTS__MAX_TOKENS": "99",
            "NANOBOT_AGENTS__DEFAULTS__MODEL": "5",
            "NANOBOT_agents__defaults__TEMPERATURE": "0.5",
            "NANOBOT_TOOLS__SSRF_WHITELIST": '["10.0.0.0/8"]',
            "NANOBOT_PLUGINS__MODE": "allowlist",
        },
    )
    openai: Any = config.section(by_name["openai"], "providers")
    assert (openai.api_key.reveal(), openai.api_base) == ("CANARY-KEY", "https://new")
    azure: Any = config.section(by_name["azure_openai"], "providers")
    assert azure.api_key.reveal() == "12345678901234567890"
    assert azure.extra_headers == {"X-A": "b"}
    defaults = config.core.agents.defaults
    assert (defaults.max_tokens, defaults.model, defaults.temperature) == (99, "5", 0.5)
    assert config.core.tools.ssrf_whitelist == ("10.0.0.0/8",)
    assert config.core.plugins.mode == "allowlist"
    assert config.findings == ()
    assert log.redact("it is CANARY-KEY") == "it is ***"


def test_names_that_users_chose_are_found_in_any_case(loaded: Load) -> None:
    config = loaded(
        {"modelPresets": {"My-Fast": {"model": "a"}}},
        environ={"NANOBOT_MODEL_PRESETS__MY_FAST__MODEL": "b"},
    )
    assert config.core.model_presets["My-Fast"].model == "b"


def test_a_setting_from_the_environment_is_held_to_the_same_rules(loaded: Load) -> None:
    with pytest.raises(ConfigError, match=r"tools\.ssrfWhitelist"):
        loaded({}, environ={"NANOBOT_TOOLS__SSRF_WHITELIST": '["0.0.0.0/0"]'})
    with pytest.raises(ConfigError, match=r"agents\.defaults\.maxTokens"):
        loaded({}, environ={"NANOBOT_AGENTS__DEFAULTS__MAX_TOKENS": "zero"})
    with pytest.raises(ConfigError, match="unknown key"):
        loaded({}, environ={"NANOBOT_TOOLS__RESTRICT_TOWORKSPACE": "true"})


@pytest.mark.parametrize(
    "name",
    ["NANOBOT___X", "NANOBOT_A__", "NANOBOT_A____B", "NANOBOT_GATEWAY__PORT__X", "NANOBOT___"],
)
def test_a_variable_that_names_no_setting_is_reported(loaded: Load, name: str) -> None:
    (finding,) = loaded({"gateway": {"port": 1}}, environ={name: "CANARY"}).findings
    assert finding.severity == "error"
    assert name in finding.message
    assert "CANARY" not in str(finding)


def test_variables_of_the_process_are_no_settings(loaded: Load) -> None:
    names = """NANOBOT_PLUGINS NANOBOT_MAX_CONCURRENT_REQUESTS NANOBOT_LLM_TIMEOUT_S
        NANOBOT_STREAM_IDLE_TIMEOUT_S NANOBOT_SANDBOX_ENFORCED NANOBOT_RESTART_NOTIFY_CHAT_ID
        NANOBOT_PATH_APPEND NANOBOT_TUI_NO_DOWNLOAD NANOBOT_API_URL NANOBOT_CHANNELS"""
    config = loaded({}, environ=dict.fromkeys(names.split(), "none"))
    assert config.effective == {}
    assert config.findings == ()


def test_nothing_of_the_environment_is_saved(loaded: Load, path: Path) -> None:
    config = loaded(
        {"providers": {"openai": {"apiKey": "${KEY}"}}},
        environ={
            "KEY": "CANARY",
            "NANOBOT_PROVIDERS__OPENAI__API_BASE": "CANARY",
            "NANOBOT_GATEWAY__PORT": "5",
        },
    )
    save_document(config.document, config.document.data)
    assert '"apiKey": "${KEY}"' in path.read_text()
    assert "CANARY" not in path.read_text()
    assert "gateway" not in path.read_text()
