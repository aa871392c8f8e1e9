"""Fake distributions and a home of their own for the tests of the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

TOOL = """
from contextlib import asynccontextmanager

from nanobot import hookimpl
from nanobot.config import PluginConfig, Secret
from nanobot.messages import Effect, Effects, ToolResult
from nanobot.specs import ToolDefinition, ToolSpec
from pydantic import Field


class Config(PluginConfig):
    sides: int = Field(default=6, ge=2, description="How many sides.")
    api_key: Secret | None = Field(default=None, description="A key.")


@hookimpl
def nanobot_tools():
    return [
        ToolSpec(
            name="{name}",
            factory="{package}:open_tool",
            config=Config,
            title="The {name}",
            tools=(
                ToolDefinition(
                    name="{name}_roll",
                    description="Roll it. Then look.",
                    parameters={{"type": "object", "properties": {{}}}},
                    effects=Effects(touches=frozenset({{Effect.EXEC}})),
                ),
            ),
        )
    ]


class Tool:
    async def call(self, request, turn):
        return ToolResult.ok("4")


@asynccontextmanager
async def open_tool(config, context):
    yield Tool()
"""

PROVIDER = """
from contextlib import asynccontextmanager

from nanobot import hookimpl
from nanobot.specs import ProviderSpec


@hookimpl
def nanobot_providers():
    return [
        ProviderSpec(
            name="{name}",
            factory="{package}:open_provider",
            title="The {name}",
            default_model="{name}-1",
            env_keys=("{upper}_API_KEY",),
        )
    ]


@asynccontextmanager
async def open_provider(config, context):
    yield object()
"""

_SOURCES = {"tools": TOOL, "providers": PROVIDER}
_SINGULAR = {"tools": "tool", "providers": "provider", "commands": "command", "cli": "cli"}


@dataclass
class PluginDir:
    """A folder on the path with fake distributions."""

    path: Path
    monkeypatch: pytest.MonkeyPatch
    ids: list[str] = field(default_factory=list)

    def add(
        self,
        plugin: str,
        source: str | None = None,
        *,
        api: int = 1,
        requires: str = "nanobot-core>=0.1,<0.2",
        distribution: str = "",
        version: str = "1.0",
    ) -> str:
        """Install a distribution with one plugin and return its name.

        Only the plugins that were added here are usable from now on.
        """
        kind, _, name = plugin.partition(".")
        slug = name.replace("_", "-")
        distribution = distribution or f"nanobot-{_SINGULAR.get(kind, kind)}-{slug}"
        package = distribution.replace("-", "_")
        text = (_SOURCES[kind] if source is None else source).format(
            name=name, package=package, upper=name.upper()
        )
        (self.path / f"{package}.py").write_text(text)
        value = f"{package}:command" if kind == "cli" else package
        info = self.path / f"{package}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
            f"Summary: About {name}.\nRequires-Dist: {requires}\n\n"
        )
        (info / "entry_points.txt").write_text(f"[nanobot.v{api}.{kind}]\n{name} = {value}\n")
        (info / "RECORD").write_text("")
        self.ids.append(plugin)
        self.monkeypatch.setenv("NANOBOT_PLUGINS", ",".join(self.ids))
        return distribution

    def free(self) -> None:
        """Let all installed plugins be usable, the real ones of this environment too."""
        self.monkeypatch.delenv("NANOBOT_PLUGINS")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty home folder; no variable of the outer environment has a say."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in os.environ:
        if name.startswith("NANOBOT_") or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("NO_COLOR", "1")
    return folder


@pytest.fixture
def plugin_dir(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PluginDir]:
    """Return a folder on the path, also on that of child processes; its modules are forgotten."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("NANOBOT_PLUGINS", "none")
    yield PluginDir(folder, monkeypatch)
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def config(home: Path) -> Any:
    """Return a function that writes the default configuration and returns its path."""

    def write(data: object) -> Path:
        path = home / ".nanobot" / "config.json"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text(data if isinstance(data, str) else json.dumps(data))
        path.chmod(0o600)
        return path

    return write


@pytest.fixture
def nanobot(home: Path) -> Any:
    """Return a function that runs the command line in this process."""
    from nanobot._cli.main import cli

    def run(*arguments: str, stdin: str = "", status: int | None = 0) -> Result:
        result = CliRunner().invoke(cli, list(arguments), input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert status is None or result.exit_code == status, result.output
        return result

    return run


@pytest.fixture
def process(home: Path) -> Any:
    """Return a function that runs the command line in a process of its own."""

    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "nanobot", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **{"stdin": subprocess.DEVNULL, **options},
        )

    return run


ANSWERING = """
import asyncio
from contextlib import asynccontextmanager

from nanobot import hookimpl
from nanobot.errors import AuthError, QuotaError, RateLimitError
from nanobot.messages import FinishReason
from nanobot.provider import ModelFinish, ModelInfo, ModelText
from nanobot.specs import ProviderSpec
from nanobot.usage import Usage

asked = []


@hookimpl
def nanobot_providers():
    return [
        ProviderSpec(
            name="{name}",
            factory="{package}:open_provider",
            title="The {name}",
            default_model="{name}-1",
            keywords=("{name}",),
            env_keys=("{upper}_API_KEY",),
            key_prefixes=("{name}-key-",),
            base_hosts=("{name}.example",),
        )
    ]


class Vendor:
    def __init__(self, key):
        self.key = key

    async def behave(self):
        asked.append(self.key)
        if "hang" in self.key:
            await asyncio.Event().wait()
        for word, error in (("bad", AuthError), ("busy", RateLimitError), ("poor", QuotaError)):
            if word in self.key:
                raise error(f"HTTP 4xx: {{word}} {{self.key}}")
        if "odd" in self.key:
            raise KeyError(self.key)

    async def list_models(self):
        await self.behave()
        return [ModelInfo(id="{name}-1", context_window=32000), ModelInfo(id="{name}-2")]

    async def stream(self, request):
        await self.behave()
        yield ModelText(text="ok")
        if "endless" not in self.key:
            yield ModelFinish(reason=FinishReason.STOP, usage=Usage())


@asynccontextmanager
async def open_provider(config, context):
    yield Vendor(config.api_key.reveal() if config.api_key else "")
"""


@pytest.fixture
def vendor(plugin_dir: PluginDir) -> Any:
    """Return a function that installs a vendor whose key says how it behaves.

    It returns the list of the keys with which the vendor was asked.
    """

    def sell(name: str) -> Any:
        plugin_dir.add(f"providers.{name}", ANSWERING)
        return lambda: sys.modules[f"nanobot_provider_{name}"].asked

    plugin_dir.ids.append("routers.standard")
    return sell
