"""`nanobot plugins list`: everything that is installed, without importing any of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MARKER = 'raise RuntimeError("imported")\n'

_RUN = """
import json, sys
from nanobot._cli.main import cli
try:
    cli(["plugins", "list", "--json"], standalone_mode=False)
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def listed(nanobot: Any, *arguments: str) -> dict[str, dict[str, str]]:
    found = json.loads(nanobot("plugins", "list", "--json", *arguments).stdout)
    return {plugin["id"]: plugin for plugin in found}


def test_names_everything(nanobot: Any, plugin_dir: Any) -> None:
    plugin_dir.add("tools.dice", MARKER)
    plugin_dir.add("providers.acme_one", MARKER, version="2.5")
    plugin_dir.add("cli.draw", MARKER)
    lines = nanobot("plugins", "list").stdout.splitlines()
    assert lines[0].split() == ["PLUGIN", "STATE", "VERSION", "DISTRIBUTION"]
    rows = [line.split() for line in lines if line and not line.startswith(" ")]
    assert ["tools.dice", "enabled", "1.0", "nanobot-tool-dice"] in rows
    assert ["providers.acme_one", "enabled", "2.5", "nanobot-provider-acme-one"] in rows
    assert ["cli.draw", "enabled", "1.0", "nanobot-cli-draw"] in rows
    ids = [row[0] for row in rows[1:]]
    assert ids == sorted(ids)


def test_json_says_the_same(nanobot: Any, plugin_dir: Any) -> None:
    plugin_dir.add("tools.dice", MARKER)
    assert listed(nanobot)["tools.dice"] == {
        "id": "tools.dice",
        "kind": "tools",
        "name": "dice",
        "distribution": "nanobot-tool-dice",
        "version": "1.0",
        "state": "enabled",
        "reason": "",
        "remedy": "",
    }


def test_imports_next_to_nothing(plugin_dir: Any) -> None:
    plugin_dir.add("tools.dice", MARKER)
    plugin_dir.free()
    done = subprocess.run(
        [sys.executable, "-c", _RUN], capture_output=True, text=True, timeout=60, check=True
    )
    assert "tools.dice" in done.stdout
    modules = set(json.loads(done.stderr))
    assert not modules & {"pydantic", "pluggy", "structlog", "httpx", "asyncio"}
    packages = {name.split(".")[0] for name in modules if name.startswith("nanobot_")}
    assert packages == {"nanobot_cli_admin", "nanobot_documents", "nanobot_settings"}


def test_a_broken_configuration_is_reported_beside_the_list(
    nanobot: Any, plugin_dir: Any, config: Any
) -> None:
    plugin_dir.add("tools.dice", MARKER)
    path = config('{"plugins": {"disabled": ["tools.dice"],}}')
    result = nanobot("plugins", "list")
    assert f"{path}: " in result.stderr and "line 1" in result.stderr
    assert "tools.dice" in result.stdout


@pytest.mark.parametrize("content", ["[]", '"text"', "", "\x00", '{"plugins": 5}'])
def test_odd_configurations_do_no_harm(
    nanobot: Any, plugin_dir: Any, config: Any, content: str
) -> None:
    plugin_dir.add("tools.dice", MARKER)
    config(content)
    assert "tools.dice" in nanobot("plugins", "list").stdout


def test_a_folder_in_place_of_the_configuration(
    nanobot: Any, plugin_dir: Any, tmp_path: Path
) -> None:
    assert "is not a file" in nanobot("plugins", "list", "-c", str(tmp_path)).stderr


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"plugins": {"disabled": ["tools.lucky_dice"]}}, "plugins.disabled"),
        ({"plugins": {"disabled": ["tools.luckyDice"]}}, "plugins.disabled"),
        ({"tools": {"luckyDice": {"enabled": False}}}, "tools.luckyDice.enabled is false"),
        ({"tools": {"lucky_dice": {"enable": False}}}, "tools.luckyDice.enabled is false"),
        ({"plugins": {"mode": "allowlist", "allow": ["tools.other"]}}, "plugins.allow"),
    ],
)
def test_switched_off(
    nanobot: Any, plugin_dir: Any, config: Any, document: object, reason: str
) -> None:
    plugin_dir.add("tools.lucky_dice", MARKER)
    plugin_dir.free()
    config(document)
    found = listed(nanobot)["tools.lucky_dice"]
    assert found["state"] == "disabled" and reason in found["reason"]
    assert found["remedy"] == "nanobot plugins enable tools.lucky_dice"


def test_switched_off_by_the_environment(
    nanobot: Any, plugin_dir: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin_dir.add("tools.lucky_dice", MARKER)
    monkeypatch.setenv("NANOBOT_PLUGINS", "tools.other")
    assert "NANOBOT_PLUGINS" in listed(nanobot)["tools.lucky_dice"]["reason"]
    monkeypatch.delenv("NANOBOT_PLUGINS")
    monkeypatch.setenv("NANOBOT_TOOLS__LUCKY_DICE__ENABLED", "false")
    assert listed(nanobot)["tools.lucky_dice"]["state"] == "disabled"


def test_what_metadata_rules_out(nanobot: Any, plugin_dir: Any) -> None:
    plugin_dir.add("tools.later", MARKER, api=2)
    plugin_dir.add("tools.newer", MARKER, requires="nanobot-core>=7")
    plugin_dir.add("cli.later", MARKER, api=2)
    found = listed(nanobot)
    for plugin in ("tools.later", "tools.newer", "cli.later"):
        assert found[plugin]["state"] == "incompatible"
        assert "pip install --upgrade" in found[plugin]["reason"]
    assert "API v2" in found["tools.later"]["reason"]
    assert "nanobot-core >=7" in found["tools.newer"]["reason"]


def test_two_distributions_of_one_id(nanobot: Any, plugin_dir: Any, config: Any) -> None:
    plugin_dir.add("tools.dice", MARKER)
    plugin_dir.add("tools.dice", MARKER, distribution="acme-dice")
    text = nanobot("plugins", "list").stdout
    assert text.count("conflict") == 2
    assert "acme-dice and nanobot-tool-dice both provide tools.dice" in text
    config({"plugins": {"prefer": {"tools.dice": "acme-dice"}}})
    states = {line.split()[3]: line.split()[1] for line in _rows(nanobot, "tools.dice")}
    assert states == {"acme-dice": "enabled", "nanobot-tool-dice": "disabled"}


def _rows(nanobot: Any, plugin: str) -> list[str]:
    lines = nanobot("plugins", "list").stdout.splitlines()
    return [line for line in lines if line.startswith(f"{plugin} ")]


def _verdict(home: Path, **changes: str) -> Path:
    verdict = {"version": "1.0", "state": "broken", "reason": "it fell\nover", **changes}
    path = home / ".nanobot" / "plugins.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"tools.dice@nanobot-tool-dice": verdict}))
    return path


def test_an_earlier_verdict_is_shown_on_one_line(nanobot: Any, plugin_dir: Any, home: Path) -> None:
    plugin_dir.add("tools.dice", MARKER)
    _verdict(home)
    found = listed(nanobot)["tools.dice"]
    assert (found["state"], found["reason"]) == ("broken", "it fell over")
    assert "nanobot plugins disable tools.dice" in found["remedy"]
    assert "    it fell over\n" in nanobot("plugins", "list").stdout


def test_a_verdict_on_another_version_counts_no_more(
    nanobot: Any, plugin_dir: Any, home: Path
) -> None:
    plugin_dir.add("tools.dice", MARKER)
    _verdict(home, version="0.9")
    assert listed(nanobot)["tools.dice"]["state"] == "enabled"


def test_a_section_edited_since_is_not_called_invalid(
    nanobot: Any, plugin_dir: Any, home: Path, config: Any
) -> None:
    plugin_dir.add("tools.dice", MARKER)
    path = config({})
    verdicts = _verdict(home, state="misconfigured")
    os.utime(path, (1, 1))
    assert listed(nanobot)["tools.dice"]["state"] == "misconfigured"
    os.utime(verdicts, (0, 0))
    assert listed(nanobot)["tools.dice"]["state"] == "enabled"


def test_a_file_that_was_named_must_exist(nanobot: Any, tmp_path: Path) -> None:
    result = nanobot("plugins", "list", "-c", str(tmp_path / "none.json"), status=1)
    assert "nanobot onboard --config" in result.stderr


def test_what_the_tools_cost(nanobot: Any, plugin_dir: Any, config: Any) -> None:
    plugin_dir.add("tools.dice")
    plugin_dir.add("tools.coin")
    plugin_dir.add("tools.off")
    plugin_dir.add("tools.live", LIVE)
    config({"tools": {"off": {"enabled": False}}})
    sent = (
        '{"type":"function","function":{"name":"coin_roll","description":"Roll it. Then look.",'
        '"parameters":{"type":"object","properties":{}}}}'
    )
    lines = nanobot("plugins", "list", "--cost").stdout.splitlines()
    assert lines[0].split() == ["TOOL", "PLUGIN", "BYTES", "TOKENS"]
    tokens = -(-len(sent) // 4)
    assert lines[1].split() == ["coin_roll", "tools.coin", str(len(sent)), str(tokens)]
    assert lines[3].split()[:4] == ["total", "2", "tools", str(2 * len(sent))]
    assert lines[-1] == "Known only when they run: the tools of tools.live."
    found = json.loads(nanobot("plugins", "list", "--cost", "--json").stdout)
    assert found["bytes"] == 2 * len(sent) == sum(tool["bytes"] for tool in found["tools"])
    assert found["later"] == ["tools.live"]


LIVE = """
from nanobot import hookimpl
from nanobot.specs import ToolSpec


@hookimpl
def nanobot_tools():
    return [ToolSpec(name="{name}", factory="os:getcwd")]
"""
