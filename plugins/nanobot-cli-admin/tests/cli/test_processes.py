"""The command line as users start it: in a process of its own, in any surroundings."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from nanobot._boot.sections import Sections
from nanobot._config import load
from nanobot._plugins.catalog import scan
from nanobot._plugins.registry import Registry
from nanobot._plugins.status import Verdicts, judge, policy
from nanobot.context import SystemClock
from nanobot.errors import PluginError
from nanobot_cli_admin.loading import load_plugins

PLUGINS = ("list", "show", "enable", "disable", "check", "new", "install", "uninstall")
CONFIG = ("path", "get", "set", "unset", "schema", "check")
COMMANDS = [
    ("onboard",),
    ("status",),
    ("doctor",),
    ("models", "list"),
    ("models", "route"),
    *(("plugins", name) for name in PLUGINS),
    *(("config", name) for name in CONFIG),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(nanobot: Any, command: tuple[str, ...]) -> None:
    text = nanobot(*command, "--help").stdout
    assert "Usage:" in text and "Options:" in text
    assert len(text.splitlines()[2].strip()) > 20


def test_groups_list_their_commands(nanobot: Any) -> None:
    listed = nanobot("plugins", "--help").stdout
    assert all(f"  {name}" in listed for name in PLUGINS)
    listed = nanobot("config", "--help").stdout
    assert all(f"  {name}" in listed for name in CONFIG)


def test_a_fresh_home(process: Any, home: Path, plugin_dir: Any) -> None:
    plugin_dir.add("providers.acme")
    assert process("plugins", "list").returncode == 0
    assert list(home.iterdir()) == []
    assert process("onboard").returncode == 0
    done = process("config", "set", "providers.acme.apiKey", "sk-acme-123456")
    assert (done.returncode, done.stderr) == (0, "")
    done = process("status")
    assert done.returncode == 0 and "✓ model      acme/acme-1" in done.stdout
    done = process("doctor")
    assert done.returncode == 0 and "0 errors, 0 warnings." in done.stdout
    done = process("config", "check")
    assert done.returncode == 0 and "no problem was found" in done.stdout


def test_a_reader_that_goes_away(plugin_dir: Any) -> None:
    for number in range(60):
        plugin_dir.add(f"tools.dice{number}", "")
    with subprocess.Popen(
        [sys.executable, "-m", "nanobot", "config", "schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


def test_a_terminal_without_unicode(process: Any, plugin_dir: Any) -> None:
    plugin_dir.add("providers.acme")
    done = process("status", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 1
    assert "? config" in done.stdout and "Traceback" not in done.stderr


def test_it_takes_no_module_from_the_current_folder(
    process: Any, plugin_dir: Any, tmp_path: Path
) -> None:
    plugin_dir.add("tools.dice")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "pluggy.py").write_text("raise SystemExit('taken from the current folder')")
    script = "import sys; sys.path.pop(0); from nanobot._cli.main import cli; cli()"
    done = subprocess.run(
        [sys.executable, "-c", script, "plugins", "check", "dice"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0 and "tools.dice: works" in done.stdout


def _statuses(environ: Mapping[str, str]) -> Any:
    return judge(scan(), policy({}, environ))


HANGS = """
import asyncio
from contextlib import asynccontextmanager

from nanobot import hookimpl
from nanobot.specs import ToolSpec


@hookimpl
def nanobot_tools():
    return [ToolSpec(name="{name}", factory="{package}:open_tool")]


@asynccontextmanager
async def open_tool(config, context):
    await asyncio.Event().wait()
    yield None
"""


def test_a_factory_that_hangs_is_named_after_the_run(
    nanobot: Any, plugin_dir: Any, home: Path
) -> None:
    plugin_dir.add("tools.slow", HANGS)
    plugin_dir.add("tools.dice")
    config = load(home / ".nanobot" / "config.json")
    loaded = load_plugins(_statuses(os.environ))

    async def use() -> None:
        sections = Sections(config, loaded.host, os.environ)
        instance = config.instance()
        registry = Registry(loaded.host, sections, instance, SystemClock(), deadline_s=0.1)
        with pytest.raises(PluginError):
            await registry.open("tools", "slow")
        assert await registry.open("tools", "dice")
        await registry.aclose()

    asyncio.run(use())
    verdicts = Verdicts(home / ".nanobot" / "plugins.json")
    for status in loaded.statuses:
        verdicts.put(status)
    verdicts.save()
    text = nanobot("plugins", "list").stdout
    assert "did not open within 0.1 s" in text
    assert "nanobot plugins check tools.slow" in text
    assert "did not open within 0.1 s" in nanobot("doctor", status=1).stdout
    assert "1 checked, all work." in nanobot("plugins", "check", "slow").stdout
    assert "did not open" not in nanobot("plugins", "list").stdout
