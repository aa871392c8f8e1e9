"""The core's own settings: defaults, limits, and keys that are not known."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nanobot._config import Config
from nanobot.errors import ConfigError

Load = Callable[..., Config]

DEFAULTS = {
    "workspace": "~/.nanobot/workspace",
    "model_preset": None,
    "model": None,
    "provider": "auto",
    "max_tokens": 8192,
    "context_window_tokens": 200_000,
    "context_block_limit": None,
    "temperature": 0.1,
    "fallback_models": (),
    "max_tool_iterations": 200,
    "max_tool_result_chars": 16_000,
    "provider_retry_mode": "standard",
    "tool_hint_max_length": 40,
    "reasoning_effort": None,
    "timezone": "UTC",
    "timezone_mode": "auto",
    "bot_name": "nanobot",
    "bot_icon": "🐈",
    "unified_session": False,
    "disabled_skills": (),
    "idle_compact_after_minutes": 15,
    "idle_compact_check_interval_seconds": 60,
    "consolidation_ratio": 0.5,
    "max_concurrent_subagents": 1,
    "subagent_max_iterations": 15,
    "fail_on_tool_error": True,
    "turn_timeout_s": 3600,
    "max_turn_tokens": None,
}


def nested(path: str, value: Any) -> dict[str, Any]:
    for part in reversed(path.split(".")):
        value = {part: value}
    return dict(value)


def test_defaults(loaded: Load) -> None:
    core = loaded({}).core
    assert core.agents.defaults.model_dump() == DEFAULTS
    assert core.tools.model_dump() == {
        "restrict_to_workspace": False,
        "ssrf_whitelist": (),
    }
    assert core.plugins.model_dump() == {
        "mode": "all",
        "allow": (),
        "disabled": (),
        "prefer": {},
    }


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("agents.defaults.maxTokens", 0),
        ("agents.defaults.maxTokens", True),
        ("agents.defaults.maxTokens", "8192"),
        ("agents.defaults.maxTokens", 1.5),
        ("agents.defaults.contextWindowTokens", -1),
        ("agents.defaults.contextBlockLimit", 0),
        ("agents.defaults.temperature", 2.1),
        ("agents.defaults.maxToolIterations", 0),
        ("agents.defaults.maxToolResultChars", 0),
        ("agents.defaults.providerRetryMode", "forever"),
        ("agents.defaults.toolHintMaxLength", 19),
        ("agents.defaults.toolHintMaxLength", 501),
        ("agents.defaults.timezone", "Mars/Olympus"),
        ("agents.defaults.timezone", "../../etc/passwd"),
        ("agents.defaults.timezoneMode", "both"),
        ("agents.defaults.unifiedSession", "yes"),
        ("agents.defaults.disabledSkills", "one"),
        ("agents.defaults.idleCompactAfterMinutes", -1),
        ("agents.defaults.idleCompactCheckIntervalSeconds", -1),
        ("agents.defaults.consolidationRatio", 0.05),
        ("agents.defaults.maxConcurrentSubagents", 0),
        ("agents.defaults.subagentMaxIterations", 0),
        ("agents.defaults.turnTimeoutS", 0),
        ("agents.defaults.maxTurnTokens", 0),
        ("agents.defaults.workspace", "  "),
        ("agents.defaults.workspace", 5),
        ("modelPresets.fast.model", ""),
        ("tools.restrictToWorkspace", "true"),
        ("tools.ssrfWhitelist", "10.0.0.0/8"),
        ("plugins.mode", "some"),
        ("plugins.prefer", []),
    ],
)
def test_a_value_that_can_not_be_used_is_refused_by_name(
    loaded: Load, setting: str, value: object
) -> None:
    document = nested(setting, value)
    with pytest.raises(ConfigError) as caught:
        loaded(document)
    assert f": {setting}: " in str(caught.value)
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize(
    "network", ["10.0.0.0/33", "0.0.0.0/0", "::/0", "0.0.0.0/1", "::/1", "example.com", "", "10/8"]
)
def test_networks_that_open_everything_or_nothing_are_refused(loaded: Load, network: str) -> None:
    with pytest.raises(ConfigError, match=r"tools\.ssrfWhitelist\[1\]"):
        loaded({"tools": {"ssrfWhitelist": ["10.0.0.0/8", network]}})


def test_networks_of_ones_own_are_taken(loaded: Load) -> None:
    networks = ["10.0.0.0/8", "192.168.1.7", "fc00::/7", "100.64.0.0/10"]
    core = loaded({"tools": {"ssrfWhitelist": networks}}).core
    assert core.tools.ssrf_whitelist == tuple(networks)


def test_time_zone_mode_follows_the_time_zone(loaded: Load) -> None:
    def mode(**defaults: str) -> str:
        return loaded({"agents": {"defaults": defaults}}).core.agents.defaults.timezone_mode

    assert mode() == "auto"
    assert mode(timezone="Asia/Shanghai") == "manual"
    assert mode(timezone="Asia/Shanghai", timezoneMode="auto") == "auto"
    assert mode(timezone="Asia/Shanghai", timezone_mode="auto") == "auto"


def test_presets_and_fallbacks(loaded: Load) -> None:
    core = loaded(
        {
            "modelPresets": {
                "my_fast": {"model": "a", "max_tokens": 5, "label": "old"},
                "Deep": {"model": "b", "provider": "openai"},
            },
            "agents": {
                "defaults": {
                    "modelPreset": "my_fast",
                    "fallbackModels": ["Deep", {"model": "c", "maxTokens": 7}, "default"],
                }
            },
        }
    ).core
    assert core.model_presets["my_fast"].max_tokens == 5
    assert core.agents.defaults.fallback_models[0] == "Deep"
    inline = core.agents.defaults.fallback_models[1]
    assert not isinstance(inline, str)
    assert (inline.model, inline.provider, inline.max_tokens) == ("c", "auto", 7)


def test_a_preset_that_is_not_defined_is_refused_with_the_nearest(loaded: Load) -> None:
    document = {
        "modelPresets": {"fast": {"model": "a"}, "sk-CANARYCANARY1": {"model": "b"}},
        "agents": {"defaults": {"modelPreset": "fsat", "fallbackModels": ["sk-CANARYCANARY2"]}},
    }
    with pytest.raises(ConfigError) as caught:
        loaded(document)
    message = str(caught.value)
    assert "agents.defaults.modelPreset: names a preset" in message
    assert "did you mean fast?" in message
    assert "agents.defaults.fallbackModels[0]: names a preset" in message
    assert "CANARY" not in message


def test_the_name_default_is_reserved(loaded: Load) -> None:
    with pytest.raises(ConfigError, match=r"modelPresets\.default: is reserved"):
        loaded({"modelPresets": {"default": {"model": "a"}}})


@pytest.mark.parametrize(
    "document",
    [
        {"tools": {"restrictToworkspace": True}},
        {"tools": {"restricttoworkspace": True}},
        {"tools": {"restrict-to-workspace": True}},
        {"tools": {"ssrfWhitelst": []}},
        {"tools": {"workspaceTool": False}},
        {"tool": {"restrictToWorkspace": True}},
        {"Tools": {"restrictToWorkspace": True}},
        {"restrictToWorkspace": True},
        {"agents": {"restrictToWorkspace": True}},
        {"agents": {"defaults": {"restrict_to_workspace": True}}},
        {"plugin": {"mode": "allowlist"}},
        {"plugins": {"disable": ["tools.exec"]}},
    ],
)
def test_a_misspelt_or_misplaced_guard_is_refused(loaded: Load, document: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="unknown key; did you mean "):
        loaded(document)


@pytest.mark.parametrize(
    ("document", "setting", "severity", "near"),
    [
        ({"agents": {"default": {}}}, "agents.default", "warning", "defaults"),
        (
            {"modelPresets": {"a": {"model": "b", "temprature": 1}}},
            "modelPresets.a.temprature",
            "warning",
            "temperature",
        ),
        ({"agent": {}}, "agent", "warning", "agents"),
        ({"gatewayPort": 1}, "gatewayPort", "warning", ""),
        ({"tools": {"x": True}}, "tools.x", "error", ""),
        ({"agents": {"sk-CANARYCANARY": 1}}, "agents.<redacted>", "warning", ""),
    ],
)
def test_other_unknown_keys_are_reported_and_passed_over(
    loaded: Load, document: dict[str, Any], setting: str, severity: str, near: str
) -> None:
    (finding,) = loaded(document).findings
    assert (finding.path, finding.severity) == (setting, severity)
    assert finding.remedy == (f"did you mean {near}?" if near else "")


@pytest.mark.parametrize("value", [[], "CANARY", 0, False])
def test_providers_that_are_no_object_are_refused(loaded: Load, value: object) -> None:
    with pytest.raises(ConfigError, match="providers: should be an object, found ") as caught:
        loaded({"providers": value})
    assert "CANARY" not in str(caught.value)


def test_sections_of_plugins_are_not_the_cores_business(loaded: Load) -> None:
    document = {
        "$schema": "x",
        "channels": {"telegram": {"tokn": 1}},
        "tools": {"exec": {"tiemout": 1}, "maxSessionMessagesPerMinute": 3},
        "providers": {"openai": {"apiKey": "${UNSET}"}},
        "agents": {"defaults": {"dream": {"intervalH": -1}}},
        "gateway": {"heartbeat": {"intervalS": -1}, "port": "x"},
        "api": 5,
        "transcription": {"provider": 5},
        "search": {},
    }
    assert loaded(document).findings == ()


def test_all_problems_are_told_at_once_ten_of_them_in_full(loaded: Load) -> None:
    defaults = {
        key: [] for key in map(_camel, DEFAULTS) if key not in ("fallbackModels", "disabledSkills")
    }
    with pytest.raises(ConfigError) as caught:
        loaded({"agents": {"defaults": defaults}})
    lines = str(caught.value).splitlines()
    assert lines[0].endswith("config.json: 26 problems")
    assert len(lines) == 12
    assert lines[-1].strip() == "… and 16 more"


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


@pytest.mark.parametrize("value", ["CANARY", ["CANARY"], {"key": "CANARY"}, {"sk-CANARYCANARY": 1}])
@pytest.mark.parametrize(
    "setting",
    [
        "agents",
        "agents.defaults.maxTokens",
        "agents.defaults.timezone",
        "agents.defaults.fallbackModels",
        "modelPresets",
        "tools.ssrfWhitelist",
        "tools.workspaceTools",
        "tools.exec",
        "plugins.prefer.x",
    ],
)
def test_values_are_never_shown(loaded: Load, setting: str, value: object) -> None:
    try:
        said = str(loaded(nested(setting, value)).findings)
    except ConfigError as error:
        said = str(error)
    assert "CANARY" not in said


def test_a_key_in_both_spellings_is_refused(loaded: Load) -> None:
    with pytest.raises(ConfigError, match=r"max_tokens: is set in both spellings; remove one"):
        loaded({"agents": {"defaults": {"maxTokens": 1, "max_tokens": 2}}})


def test_loading_needs_neither_plugins_nor_the_network() -> None:
    program = "import nanobot._config, sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    heavy = {"pluggy", "httpx", "asyncio", "click", "sqlite3", "nanobot._plugins"}
    assert heavy.isdisjoint(json.loads(done.stdout))


def test_places_of_an_instance(loaded: Load, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(path.parent))
    config = loaded({"agents": {"defaults": {"workspace": "~/work"}}})
    assert config.instance().config == path
    assert config.instance().data == path.parent
    assert config.instance().workspace == path.parent / "work"
    assert config.instance(Path("~/other")).workspace == path.parent / "other"
    with pytest.raises(ConfigError, match="home folder"):
        config.instance(Path("~no-such-user-here/x"))
