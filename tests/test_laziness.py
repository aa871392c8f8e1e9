"""What is imported when: no plugin for metadata, nothing of an unused plugin for a turn."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_RUN = """
import json, runpy, sys
sys.argv = ["nanobot", *json.loads(sys.argv[1])]
try:
    runpy.run_module("nanobot", run_name="__main__")
except SystemExit as done:
    status = done.code
else:
    status = 0
print("MODULES " + json.dumps([status, sorted(sys.modules)]), file=sys.stderr)
"""


def modules_after(arguments: list[str], environment: dict[str, str]) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _RUN, json.dumps(arguments)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    line = next(line for line in done.stderr.splitlines() if line.startswith("MODULES "))
    status, modules = json.loads(line.removeprefix("MODULES "))
    assert not status, done.stderr
    return set(modules)


def plugin_modules(modules: set[str]) -> set[str]:
    """Return the packages of plugins, without the one that holds the command itself.

    A library below the core is no plugin: the core imports it like any other library.
    """
    found = {name.split(".")[0] for name in modules if name.startswith("nanobot_")}
    return found - {"nanobot_cli_admin", "nanobot_documents", "nanobot_settings"}


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["plugins", "list"]])
def test_metadata_commands_import_no_plugin(
    arguments: list[str], clean_environment: dict[str, str]
) -> None:
    modules = modules_after(arguments, clean_environment)
    assert not plugin_modules(modules)
    assert not modules & {"pydantic", "httpx", "structlog", "pluggy"}


def test_version_imports_next_to_nothing(clean_environment: dict[str, str]) -> None:
    modules = modules_after(["--version"], clean_environment)
    assert not modules & {"click", "importlib.metadata", "asyncio"}


def test_a_turn_imports_only_what_it_uses(clean_environment: dict[str, str]) -> None:
    modules = modules_after(["agent", "-m", "Hello!"], clean_environment)
    runtime = {name for name in modules if name.startswith("nanobot_")}
    assert "nanobot_provider_offline.provider" in runtime
    assert not modules & {"openai", "anthropic", "rich", "prompt_toolkit", "httpx", "structlog"}
    opened = {name for name in runtime if name.endswith((".provider", ".tool", ".runtime"))}
    assert opened == {"nanobot_provider_offline.provider"}


def test_a_named_provider_loads_no_other(clean_environment: dict[str, str]) -> None:
    home = Path(clean_environment["HOME"])
    config = home / "config.json"
    config.write_text(json.dumps({"agents": {"defaults": {"provider": "offline"}}}))
    config.chmod(0o600)
    modules = modules_after(["agent", "-c", str(config), "-m", "Hello!"], clean_environment)
    providers = {name for name in plugin_modules(modules) if name.startswith("nanobot_provider_")}
    assert providers == {"nanobot_provider_offline"}
