"""`nanobot config` and `nanobot onboard` change what they are told to, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nanobot.admin import Config, read_document
from nanobot.errors import ConfigError
from nanobot.specs import Spec
from nanobot_cli_admin.edit import add_missing, defaults, get, put, unset, write

Load = Callable[..., Config]
Specs = dict[str, list[Spec]]


def saved(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_get_shows_values_and_defaults_and_no_secret(loaded: Load, specs: Specs) -> None:
    config = loaded(
        {
            "providers": {
                "openai": {"apiKey": "CANARY", "extraHeaders": {"Authorization": "CANARY"}},
                "azureOpenai": {"apiKey": "${AZURE_KEY}"},
            },
            "channels": {"telegram": {"peers": {"a": {"pin_code": "CANARY", "chatId": "7"}}}},
            "tools": {"mcpServers": {"a": {"env": {"X_TOKEN": "CANARY", "LANG": "C"}}}},
            "modelPresets": {"gpt-4.1": {"model": "x"}},
            "api": {"apiKey": ""},
        }
    )

    def shown(path: str) -> Any:
        return get(config, path, specs=specs)

    assert shown("agents.defaults.maxTokens") == 8192
    assert shown("agents.defaults.max_tokens") == 8192
    assert shown("tools.exec.timeout") == 60
    assert shown("providers.openai.apiKey") == "***"
    assert shown("providers.openai.api_key") == "***"
    assert shown("providers.azure_openai.apiKey") == "${AZURE_KEY}"
    assert shown("channels.telegram.peers.a") == {"pin_code": "***", "chatId": "7"}
    assert shown("tools.mcpServers.a.env") == {"X_TOKEN": "***", "LANG": "C"}
    assert shown("modelPresets.gpt-4\\.1.model") == "x"
    assert shown("api.apiKey") == ""
    assert "CANARY" not in json.dumps(shown("providers"))
    for path in ("agents.defaults.nothing", "a.b", "providers.openai.apiKey.x"):
        with pytest.raises(ConfigError, match="no such setting"):
            shown(path)
    with pytest.raises(ConfigError, match="empty part"):
        shown("agents..x")


def test_get_shows_what_the_environment_sets(loaded: Load, specs: Specs) -> None:
    config = loaded({}, environ={"NANOBOT_GATEWAY__PORT": "5"})
    assert get(config, "gateway.port", specs=specs) == 5


@pytest.mark.parametrize(
    ("setting", "text", "value"),
    [
        ("agents.defaults.maxTokens", "100", 100),
        ("agents.defaults.max_tokens", "100", 100),
        ("agents.defaults.model", "gpt-5", "gpt-5"),
        ("agents.defaults.model", "5", "5"),
        ("agents.defaults.model", "null", None),
        ("agents.defaults.model", '"null"', "null"),
        ("agents.defaults.disabledSkills", '["a"]', ["a"]),
        ("tools.restrictToWorkspace", "true", True),
        ("providers.openai.apiKey", "1234567890123", "1234567890123"),
        ("providers.openai.apiKey", "${KEY}", "${KEY}"),
        ("modelPresets.my_fast", '{"model": "x"}', {"model": "x"}),
        ("channels.feishu.appId", "x", "x"),
    ],
)
def test_put_saves_a_valid_value(
    loaded: Load, path: Path, specs: Specs, setting: str, text: str, value: object
) -> None:
    document, _ = put(
        loaded({"keep": {"me": 1}}, environ={"KEY": "CANARY"}), setting, text, specs=specs
    )
    assert "CANARY" not in path.read_text()
    data = saved(path)
    assert data == document.data
    assert data.pop("keep") == {"me": 1}
    *parents, last = setting.replace("max_tokens", "maxTokens").split(".")
    for part in parents:
        data = data[part]
    assert data == {last: value}


@pytest.mark.parametrize(
    ("setting", "text", "message"),
    [
        ("agents.defaults.maxTokens", "0", "greater than or equal to 1"),
        ("agents.defaults.maxTokens", "CANARY", "should be a valid integer"),
        ("agents.defaults", "CANARY", "should be an object"),
        ("agents.defaults.model.x", "1", "not an object"),
        ("tools.restrictToworkspace", "true", "did you mean tools.restrictToWorkspace"),
        ("tools.exec.sandbox", "CANARY", "should be 'auto', 'bwrap'"),
        ("tools.exec.tiemout", "1", "did you mean timeout"),
        ("providers.opnai.apiKey", "CANARY", "did you mean openai"),
        ("channels.telegram.enabled", "true", "channels.telegram.token: is required"),
        ("api.host", "0.0.0.0", "set apiKey"),
        ("agents.defaults.model", "${NOPE}", "the environment variable NOPE is not set"),
    ],
)
def test_put_refuses_what_would_not_be_valid(
    loaded: Load, path: Path, specs: Specs, setting: str, text: str, message: str
) -> None:
    config = loaded({"agents": {"defaults": {"model": "a"}}})
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=message) as caught:
        put(config, setting, text, specs=specs)
    assert "CANARY" not in str(caught.value)
    assert path.read_bytes() == before


def test_put_may_leave_older_errors_and_reports_news(
    loaded: Load, path: Path, specs: Specs
) -> None:
    config = loaded({"tools": {"exec": {"tiemout": 1}}})
    _, news = put(config, "agents.defaults.maxTokns", "5", specs=specs)
    assert [finding.path for finding in news] == ["agents.defaults.maxTokns"]
    config = loaded(saved(path))
    _, news = unset(config, "tools.exec.tiemout", specs=specs)
    assert news == []
    assert saved(path)["tools"] == {"exec": {}}


def test_put_and_unset_meet_the_value_in_either_spelling(
    loaded: Load, path: Path, specs: Specs
) -> None:
    config = loaded({"providers": {"azure_openai": {"api_base": "https://a"}}})
    put(config, "providers.azureOpenai.apiBase", "https://b", specs=specs)
    assert saved(path) == {"providers": {"azureOpenai": {"apiBase": "https://b"}}}
    unset(loaded(saved(path)), "providers.azure_openai.api_base", specs=specs)
    assert saved(path) == {"providers": {"azureOpenai": {}}}


def test_unset_needs_something_to_remove(loaded: Load, specs: Specs) -> None:
    config = loaded({"agents": {"defaults": {}}})
    for setting in ("agents.defaults.model", "a", "agents.b.c"):
        with pytest.raises(ConfigError, match="is not set"):
            unset(config, setting, specs=specs)


def test_unset_refuses_to_open_a_door(loaded: Load, path: Path, specs: Specs) -> None:
    config = loaded({"api": {"host": "0.0.0.0", "apiKey": "x"}})
    with pytest.raises(ConfigError, match="set apiKey"):
        unset(config, "api.apiKey", specs=specs)
    assert saved(path)["api"]["apiKey"] == "x"


def test_a_change_made_meanwhile_is_not_lost(loaded: Load, path: Path, specs: Specs) -> None:
    config = loaded({})
    put(config, "gateway.port", "5", specs=specs)
    with pytest.raises(ConfigError, match="changed by someone else"):
        put(config, "gateway.port", "6", specs=specs)
    assert saved(path) == {"gateway": {"port": 5}}


def test_defaults_are_complete_and_valid(loaded: Load, path: Path, specs: Specs) -> None:
    document = defaults(specs)
    assert document["agents"]["defaults"]["maxTokens"] == 8192
    assert document["providers"]["azureOpenai"]["apiKey"] is None
    assert document["gateway"]["heartbeat"] == {"enabled": True}
    assert "token" not in document["channels"]["telegram"]
    write(read_document(path), document, specs=specs)
    assert loaded(saved(path)).findings == ()


def test_missing_defaults_are_added_and_what_is_there_stays() -> None:
    data = {
        "agents": {"defaults": {"max_tokens": 5, "mine": [1], "model": None}, "extra": {}},
        "channels": "odd",
        "unknown": {"x": 1},
    }
    given = {
        "agents": {"defaults": {"maxTokens": 8192, "model": "m", "temperature": 0.1}},
        "channels": {"sendProgress": True},
        "gateway": {"port": 1},
    }
    assert add_missing(data, given) == {
        "agents": {
            "defaults": {"max_tokens": 5, "mine": [1], "model": None, "temperature": 0.1},
            "extra": {},
        },
        "channels": "odd",
        "unknown": {"x": 1},
        "gateway": {"port": 1},
    }
    assert "gateway" not in data
