"""Plugins that can not be used: each is reported in words, and the healthy ones go on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nanobot_cli_admin import check as check_module
from nanobot_cli_admin import loading

NO_CONFIG = """
from nanobot import hookimpl
from nanobot.specs import ToolSpec


@hookimpl
def nanobot_tools():
    return [ToolSpec(name="{name}", factory="{factory}")]
"""

BROKEN = {
    "syntax error": ("def nanobot_tools(:\n", "SyntaxError in ", "line 1"),
    "a library is missing": ("import acme_sdk\n", "module 'acme_sdk' is not installed"),
    "it raises": ("raise ValueError('no luck')\n", "ValueError: no luck"),
    "it ends the process politely": ("import sys\nsys.exit(3)\n", "it called sys.exit(3)"),
    "it ends the process": ("import os\nos._exit(4)\n", "ended the whole process with status 4"),
    "it is killed": ("import os\nos.kill(os.getpid(), 9)\n", "was ended by signal SIGKILL"),
    "it says nothing": ("", "implements no hook of this core"),
    "its hook is misspelt": (
        "from nanobot import hookimpl\n@hookimpl\ndef nanobot_toolz(): return []\n",
        "nanobot_toolz, which is no hook of this core",
    ),
    "its hook raises": (
        "from nanobot import hookimpl\n@hookimpl\ndef nanobot_tools(): raise KeyError('x')\n",
        "nanobot_tools raised KeyError: 'x'",
    ),
    "its hook returns something else": (
        "from nanobot import hookimpl\n@hookimpl\ndef nanobot_tools(): return ['dice']\n",
        "nanobot_tools returned a str, not a ToolSpec",
    ),
    "it offers another name": (
        NO_CONFIG.replace("{name}", "other").replace("{factory}", "os:getcwd"),
        "offers tools.other, but has no entry point of that name",
    ),
    "it offers nothing": (
        "from nanobot import hookimpl\n@hookimpl\ndef nanobot_tools(): return []\n",
        "offers no tools.bad",
    ),
    "its runtime is missing": (
        NO_CONFIG.replace("{factory}", "{package}_runtime:open_tool"),
        "module 'nanobot_tool_bad_runtime' is not installed",
    ),
    "its factory is missing": (
        NO_CONFIG.replace("{factory}", "{package}:open_tool"),
        "has no attribute 'open_tool'",
    ),
    "its factory is no function": (
        NO_CONFIG.replace("{factory}", "{package}:__name__"),
        "is no function",
    ),
    "its configuration can not be described": (
        NO_CONFIG.replace("{factory}", "os:getcwd")
        .replace(
            "from nanobot.specs", "from nanobot.config import PluginConfig\nfrom nanobot.specs"
        )
        .replace('")]', '", config=Config)]')
        + "\n\nclass Odd: pass\n\n"
        "class Config(PluginConfig):\n"
        '    model_config = {{"arbitrary_types_allowed": True}}\n'
        "    odd: Odd = None\n",
        "its configuration model can not be built",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_each_is_named_in_words_and_kept(nanobot: Any, plugin_dir: Any, case: str) -> None:
    source, *words = BROKEN[case]
    plugin_dir.add("tools.bad", source)
    for word in words:
        assert word in nanobot("plugins", "check", "bad", status=1).stdout
        assert word in nanobot("plugins", "list").stdout
    found = json.loads(nanobot("plugins", "list", "--json").stdout)
    [bad] = [plugin for plugin in found if plugin["id"] == "tools.bad"]
    assert bad["state"] == "broken"
    assert "pip install --upgrade --force-reinstall nanobot-tool-bad" in bad["remedy"]


def test_healthy_ones_work_beside_broken_ones(nanobot: Any, plugin_dir: Any) -> None:
    plugin_dir.add("tools.dice")
    plugin_dir.add("tools.bad", "import sys\nsys.exit()\n")
    plugin_dir.add("tools.later", api=2)
    plugin_dir.add("cli.draw", "import click\n@click.command()\ndef command(): pass\n")
    plugin_dir.add("cli.worse", "command = 5\n")
    result = nanobot("plugins", "check", status=1)
    assert "tools.dice: works" in result.stdout
    assert "cli.draw: works" in result.stdout
    assert "tools.bad: broken" in result.stdout
    assert "tools.later: incompatible" in result.stdout
    assert "cli.worse: broken" in result.stdout and "is no click command" in result.stdout
    assert "3 can not be used" in result.stdout


def test_what_was_put_right_works_again(nanobot: Any, plugin_dir: Any) -> None:
    plugin_dir.add("tools.dice", "raise ValueError\n")
    nanobot("plugins", "check", "dice", status=1)
    good = plugin_dir.path / "good"
    good.mkdir()
    plugin_dir.path = good
    plugin_dir.add("tools.dice")
    package = "nanobot_tool_dice.py"
    (good.parent / package).write_text((good / package).read_text())
    assert "1 checked, all work." in nanobot("plugins", "check", "nanobot-tool-dice").stdout
    assert "enabled" in nanobot("plugins", "list").stdout


def test_one_that_hangs_is_given_up(
    nanobot: Any, plugin_dir: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_module, "DEADLINE_S", 1.0)
    plugin_dir.add("tools.slow", "import threading\nthreading.Event().wait()\n")
    result = nanobot("plugins", "check", "slow", status=1)
    assert "did not come to an end within 1 s" in result.stdout
    assert "did not come to an end within 1 s" in nanobot("plugins", "list").stdout


def test_threads_that_a_plugin_leaves_behind_hold_nobody_up(nanobot: Any, plugin_dir: Any) -> None:
    thread = "import threading\nthreading.Thread(target=threading.Event().wait).start()\n"
    plugin_dir.add("tools.dice", thread + _tool_source())
    assert "all work" in nanobot("plugins", "check", "dice").stdout


def test_what_a_plugin_prints_is_no_verdict(nanobot: Any, plugin_dir: Any) -> None:
    noise = "import os, sys\nprint('[\"broken\", \"\"]', flush=True)\nos.write(1, b'{{')\n"
    plugin_dir.add("tools.dice", noise + _tool_source())
    assert "all work" in nanobot("plugins", "check", "dice").stdout


def _tool_source() -> str:
    return (
        NO_CONFIG.replace("{factory}", "{package}:open_tool")
        + "\n\ndef open_tool(config, context): pass\n"
    )


def test_a_section_that_does_not_fit(nanobot: Any, plugin_dir: Any, config: Any) -> None:
    plugin_dir.add("tools.dice")
    config({"tools": {"dice": {"sides": 1, "sidez": 3}}})
    result = nanobot("plugins", "check", "dice", status=1)
    assert "misconfigured" in result.stdout
    assert "tools.dice.sides" in result.stdout and "did you mean sides?" in result.stdout
    assert "nanobot plugins show tools.dice" in result.stdout
    config({"tools": {"dice": {"sides": 20}}})
    assert "works" in nanobot("plugins", "check", "dice").stdout


def test_a_secret_in_an_error_is_masked(
    nanobot: Any, plugin_dir: Any, config: Any, home: Path
) -> None:
    plugin_dir.add("tools.bad", "raise ValueError('api_key=sk-abcdefgh12345678')\n")
    result = nanobot("plugins", "check", "bad", status=1)
    assert "sk-abcdefgh" not in result.output
    assert "sk-abcdefgh" not in (home / ".nanobot" / "plugins.json").read_text()


def test_disabled_ones_are_checked_only_when_named(
    nanobot: Any, plugin_dir: Any, config: Any
) -> None:
    plugin_dir.add("tools.dice")
    plugin_dir.add("tools.bad", "raise ValueError\n")
    config({"plugins": {"disabled": ["tools.bad"]}})
    assert "tools.bad" not in nanobot("plugins", "check").stdout
    assert "tools.bad: broken" in nanobot("plugins", "check", "bad", status=1).stdout


def test_a_preferred_rival_is_tested(nanobot: Any, plugin_dir: Any, config: Any) -> None:
    plugin_dir.add("tools.dice")
    plugin_dir.add("tools.dice", distribution="acme-dice")
    assert "conflict" in nanobot("plugins", "check", "dice", status=1).stdout
    config({"plugins": {"prefer": {"tools.dice": "acme-dice"}}})
    assert nanobot("plugins", "check").stdout.count("tools.dice: works") == 1


OWNER = """
import sys
from dataclasses import dataclass
from nanobot import hookimpl, hookspec
from nanobot.specs import KindSpec, Spec, ToolSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineSpec(Spec):
    speed: int = 1


class Hooks:
    @hookspec
    def nanobot_radars(self):
        "Return search engines."


@hookimpl
def nanobot_kinds():
    return [KindSpec(name="radars", hookspecs=Hooks, spec=EngineSpec)]


@hookimpl
def nanobot_tools():
    return [ToolSpec(name="{name}", factory="os:getcwd")]
"""

ENGINE = """
from nanobot import hookimpl
from nanobot_tool_radar import EngineSpec


@hookimpl
def nanobot_radars():
    return [EngineSpec(name="{name}", factory="os:getcwd", title="Finds things")]
"""


def test_plugins_of_a_plugin(nanobot: Any, plugin_dir: Any) -> None:
    plugin_dir.add("radars.acme", ENGINE, distribution="nanobot-radars-acme")
    result = nanobot("plugins", "check", "radars.acme", status=1)
    assert "nothing that is installed uses plugins of kind 'radars'" in result.stdout
    plugin_dir.add("tools.radar", OWNER)
    assert "works" in nanobot("plugins", "check", "radars.acme").stdout
    assert "Finds things" in nanobot("plugins", "show", "acme").stdout


def test_loading_gives_a_hanging_plugin_up_and_goes_on(
    nanobot: Any, plugin_dir: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "DEADLINE_S", 0.2)
    plugin_dir.add("tools.a_slow", "import threading\nthreading.Event().wait()\n")
    plugin_dir.add("tools.dice")
    schema = json.loads(nanobot("config", "schema").stdout)
    assert "sides" in json.dumps(schema)
    result = nanobot("plugins", "show", "a_slow")
    assert "TimeoutError: did not come to an end within 0.2 s" in result.stdout
