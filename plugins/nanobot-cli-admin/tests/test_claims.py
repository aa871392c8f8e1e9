"""Sections that nobody reads, and those that do not fit, are told with what cures them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from nanobot.admin import Config
from nanobot.specs import ProviderSpec, Spec
from nanobot_cli_admin.claims import check

Load = Callable[..., Config]
Specs = dict[str, list[Spec]]


def told(config: Config, specs: Specs, **installed: list[str]) -> list[str]:
    return [f"{f.severity} {f}" for f in check(config, specs, installed=installed)]


def test_every_section_that_does_not_fit_is_listed_at_once(loaded: Load, specs: Specs) -> None:
    config = loaded(
        {
            "providers": {"openai": {"apiKey": "${NOPE}"}, "azureOpenai": {"api_base": 5}},
            "channels": {"telegram": {"enabled": True}},
            "tools": {"exec": {"sandbox": "bwarp", "tiemout": 5}},
            "gateway": {"heartbeat": 5},
        }
    )
    lines = "\n".join(told(config, specs))
    for line in (
        "error providers.openai.apiKey: the environment variable NOPE is not set",
        "error providers.azureOpenai.api_base: should be a valid string, found an integer",
        "error channels.telegram.token: is required",
        "error tools.exec.sandbox: should be 'auto', 'bwrap', 'landlock' or '', found a string",
        "error tools.exec.tiemout: unknown key; did you mean timeout?",
        "error gateway.heartbeat: should be an object, found an integer",
    ):
        assert line in lines
    assert len(lines.splitlines()) == 6


def test_what_no_plugin_reads_is_told_with_the_line_that_cures_it(loaded: Load) -> None:
    config = loaded(
        {
            "providers": {"deepseek": {"proxy": "CANARY"}, "xaiGrok": {"proxy": "${NOPE}"}},
            "channels": {"feishu": {"appId": "CANARY", "sk-CANARYCANARY": 1}},
            "tools": {"web": {"search": {}}, "mcpServers": {"a": {"command": "x"}}},
            "agents": {"defaults": {"dream": {"intervalH": 2}}},
            "gateway": {"heartbeat": {"intervalS": 5}},
        }
    )
    reads = "no installed plugin reads it"
    assert told(config, {}) == [
        f"warning providers.deepseek: {reads} (keys: proxy); pip install nanobot-provider-deepseek",
        f"warning providers.xaiGrok: {reads} (keys: proxy); pip install nanobot-provider-xai-grok",
        "error providers.xaiGrok.proxy: the environment variable NOPE is not set; "
        "export it before starting nanobot",
        f"warning channels.feishu: {reads} (keys: appId, <redacted>); "
        "pip install nanobot-channel-feishu",
        f"warning tools.web: {reads} (keys: search); pip install nanobot-tool-web",
        f"warning agents.defaults.dream: {reads} (keys: intervalH); "
        "pip install nanobot-service-dream",
        f"warning gateway.heartbeat: {reads} (keys: intervalS); "
        "pip install nanobot-service-heartbeat",
        f"warning tools.mcpServers: {reads} (keys: a); pip install nanobot-tool-mcp",
    ]


def test_what_is_installed_is_not_missing(loaded: Load, specs: Specs) -> None:
    config = loaded(
        {
            "providers": {"xaiGrok": {"apiKey": "x"}, "mine": {"apiBase": "http://x"}},
            "tools": {"web": {"search": {"x": 1}}},
            "search": {"brave": {"apiKey": "x"}},
        }
    )
    web = Spec(name="nested", factory="x:y", section="tools.web.search")
    offered = {**specs, "search": [web]}
    assert told(config, offered, providers=["xai_grok"], search=["brave"]) == [
        "error tools.web.search.x: unknown key"
    ]


@pytest.mark.parametrize(
    ("kind", "name", "near"),
    [
        ("providers", "opnai", "openai"),
        ("providers", "OpenAI", "openai"),
        ("providers", "deepsek", "deepseek"),
        ("channels", "telgram", "telegram"),
        ("tools", "exce", "exec"),
        ("tools", "mcpServer", "mcpServers"),
        ("providers", "azureOpnai", "azureOpenai"),
    ],
)
def test_a_misspelt_plugin_is_recognised(
    loaded: Load, specs: Specs, kind: str, name: str, near: str
) -> None:
    (line,) = told(loaded({kind: {name: {"x": "CANARY"}}}), specs)
    assert line.startswith(f"error {kind}.{name}: there is no plugin of this name (keys: x)")
    assert line.endswith(f"did you mean {near}?")


def test_providers_of_ones_own(loaded: Load, specs: Specs) -> None:
    mine = {"providers": {"mine": {"api_base": "http://x", "apiKey": "CANARY"}}}
    assert told(loaded(mine), specs) == []
    without = {"providers": [ProviderSpec(name="openai", factory="x:y")]}
    (line,) = told(loaded(mine), without)
    assert line.endswith("pip install nanobot-provider-custom")
    (line,) = told(loaded({"providers": {"mine": {"apiKey": "CANARY"}}}), specs)
    assert line.startswith("error providers.mine: no installed plugin has this name, and it has no")


def test_empty_and_switched_off_sections_are_not_missed(loaded: Load) -> None:
    config = loaded(
        {
            "providers": {"groq": {"apiKey": "", "apiBase": None, "extraBody": {}}, "xai": None},
            "channels": {"slack": {"enabled": False, "token": "x"}},
            "tools": {"my": {"enable": False}},
            "gateway": {"heartbeat": {"enabled": False}},
        }
    )
    assert told(config, {}) == []


def test_sections_that_nobody_knows(loaded: Load, specs: Specs) -> None:
    config = loaded(
        {"gatway": {"port": 1}, "chanels": {}, "search": {}, "model_presets": {}, "x y": {"z": 1}}
    )
    assert told(config, specs, search=["brave"]) == [
        "warning gatway: unknown section (keys: port); did you mean gateway?",
        "warning chanels: unknown section; did you mean channels?",
        "warning <redacted>: unknown section (keys: z)",
    ]
    assert told(loaded({"providers": {"openai": "CANARY"}}), {}) == [
        "error providers.openai: should be an object, found a string"
    ]


def test_a_section_that_is_switched_off_need_not_fit(loaded: Load, specs: Specs) -> None:
    config = loaded({"channels": {"telegram": {"enabled": False, "token": "${NOPE}"}}})
    assert check(config, specs) == ()


def test_a_section_of_any_name_at_the_address_of_a_vendor_is_served(loaded: Load) -> None:
    router = ProviderSpec(name="router", factory="m:f", base_hosts=("router.example",))
    config = loaded(
        {
            "providers": {
                "work": {"apiBase": "https://router.example/v1"},
                "lab": {"apiBase": "https://lab.example/v1"},
            }
        }
    )
    [line] = told(config, {"providers": [router]})
    assert "providers.lab" in line and "pip install nanobot-provider-custom" in line
