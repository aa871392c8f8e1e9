"""What the tests share: an issuer that runs beside, and fake distributions that use it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from nanobot_testing.servers.issuer import IssuerServer

SOURCE = """
from nanobot import hookimpl
from nanobot.specs import ProviderSpec
from nanobot_oauth.config import OAuthConfig
from nanobot_oauth.specs import Login

@hookimpl
def nanobot_providers():
    options = {{"login": Login(**{login!r})}} if {login!r} else {{}}
    return [
        ProviderSpec(
            name="{name}",
            factory="{package}:open_provider",
            title="The {name}",
            config=OAuthConfig,
            options=options,
            default_model="{name}-1",
            needs_key=False,
        )
    ]
"""


@pytest.fixture
def issuer() -> Iterator[IssuerServer]:
    """Start an issuer in a thread, since commands have an event loop of their own."""
    server = IssuerServer()
    server.interval = 0.01
    ready, loop = threading.Event(), asyncio.new_event_loop()
    done = asyncio.Event()

    async def serve() -> None:
        async with server:
            ready.set()
            await done.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait()
    yield server
    loop.call_soon_threadsafe(done.set)
    thread.join()
    loop.close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty home folder; no variable of the outer environment has a say."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in os.environ:
        if name.startswith("NANOBOT_") or name in ("DISPLAY", "WAYLAND_DISPLAY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def install(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a function that installs a provider, with the login that is given."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    names: list[str] = []

    def add(name: str, source: str = SOURCE, **login: object) -> None:
        package = f"nanobot_provider_{name}"
        text = source.format(name=name, package=package, login=login)
        (folder / f"{package}.py").write_text(text)
        info = folder / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package.replace('_', '-')}\nVersion: 1.0\n"
            "Requires-Dist: nanobot-core>=0.1,<0.2\n\n"
        )
        (info / "entry_points.txt").write_text(f"[nanobot.v1.providers]\n{name} = {package}\n")
        (info / "RECORD").write_text("")
        names.append(f"providers.{name}")
        monkeypatch.setenv("NANOBOT_PLUGINS", ",".join(names))

    monkeypatch.setenv("NANOBOT_PLUGINS", "none")
    yield add
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def acme(install: Any, issuer: IssuerServer) -> Any:
    """Install a provider with all ways to sign in."""
    install(
        "acme_plan",
        issuer=issuer.base_url,
        client_id=issuer.client_id,
        token_path="/token",
        authorize_path="/authorize",
        device_path="/device",
    )
    return issuer


@pytest.fixture
def config(home: Path) -> Any:
    """Return a function that writes the default configuration."""

    def write(data: object) -> None:
        path = home / ".nanobot" / "config.json"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text(json.dumps(data))
        path.chmod(0o600)

    return write


@pytest.fixture
def nanobot(home: Path) -> Any:
    """Return a function that runs the command line in this process."""
    from nanobot._cli.main import cli

    def run(*arguments: str, stdin: str | None = None, status: int = 0) -> Result:
        result = CliRunner().invoke(cli, ["provider", *arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == status, result.output
        return result

    return run
