"""A fresh environment that holds nothing but wheels: what a stranger's machine looks like."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
UV = shutil.which("uv") or os.environ.get("HATCH_UV", "")
STRICT = os.environ.get("NANOBOT_TEST_STRICT") == "1"
HOST = (
    "nanobot-core",
    "nanobot-cli-admin",
    "nanobot-command-core",
    "nanobot-documents",
    "nanobot-engine-standard",
    "nanobot-gateway",
    "nanobot-prompt-core",
    "nanobot-router-standard",
    "nanobot-security",
    "nanobot-settings",
    "nanobot-store-sqlite",
    "nanobot-testing",
    "nanobot-provider-compat",
    "nanobot-provider-custom",
)
_BUILD_TIMEOUT_S = 300
_NO_REGISTRY = re.compile(
    r"dns error|failed to lookup|name resolution|could not connect|connection (?:refused|reset)|"
    r"tcp connect error|network (?:is )?unreachable|NewConnectionError|timed out|"
    r"error sending request|no matching distribution found for hatchling|because hatchling was not",
    re.IGNORECASE,
)


class RegistryUnreachable(Exception):
    """Report that a build tool or library could not be fetched."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment.

    Args:
        folder: Where it lies.
        home: The home folder of everything that runs in it.
    """

    folder: Path
    home: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def install(self, *wheels: Path) -> None:
        """Install wheels; what they need besides comes from the package registry."""
        if UV:
            command = [UV, "pip", "install", "--quiet", "--python", self.python]
        else:
            command = [self.python, "-m", "pip", "install", "--quiet"]
        fetch([*command, *map(str, wheels)])

    def uninstall(self, distribution: str) -> None:
        if UV:
            command = [UV, "pip", "uninstall", "--quiet", "--python", self.python]
        else:
            command = [self.python, "-m", "pip", "uninstall", "--quiet", "--yes"]
        fetch([*command, distribution])

    def run(
        self, *command: str, cwd: Path | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, with a clean set of variables."""
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        variables = {
            **kept,
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
            "HOME": str(self.home),
            "NO_COLOR": "1",
            "NO_PROXY": "*",
            **more,
        }
        return subprocess.run(
            [str(self.folder / "bin" / command[0]), *command[1:]],
            capture_output=True,
            text=True,
            env=variables,
            cwd=cwd or self.home,
            stdin=subprocess.DEVNULL,
            timeout=120,
        )

    def test(self, folder: Path) -> str:
        """Run the tests of a folder and return pytest's last line; fail with its output."""
        done = self.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip().splitlines()[-1]

    def plugins(self) -> dict[str, dict[str, Any]]:
        """Return what ``nanobot plugins list --json`` says, by id."""
        done = self.run("nanobot", "plugins", "list", "--json")
        assert done.returncode == 0, done.stderr
        return {plugin["id"]: plugin for plugin in json.loads(done.stdout)}

    def turn(
        self, *replies: Mapping[str, object], config: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        """Ask a scripted model one question.

        Args:
            replies: What the model says: ``{"text": ...}``, or ``{"tool": ..., "arguments": ...}``.
            config: Sections to add to the configuration.

        Returns:
            What ``nanobot agent --json`` printed, with ``results``, the tool results that went back
            to the model; ``tools``, the names of the tools on offer; and ``stderr``.
        """
        script = {"replies": replies, "config": config or {}}
        done = self.run("python", "-c", TURN, json.dumps(script), str(self.home))
        assert done.returncode == 0, done.stdout + done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


TURN = """
import asyncio, json, sys
from pathlib import Path
from nanobot_testing.servers.chat import ChatServer

script, home = json.loads(sys.argv[1]), Path(sys.argv[2])

async def main():
    async with ChatServer() as server:
        for reply in script["replies"]:
            if "tool" in reply:
                server.reply(server.tools((reply["tool"], json.dumps(reply["arguments"]))))
            else:
                server.reply(server.text(reply["text"]))
        config = home / "turn.json"
        config.write_text(json.dumps({
            **script["config"],
            "providers": {"scripted": {"apiBase": server.base_url}},
            "agents": {"defaults": {"provider": "scripted", "model": "test-model"}},
        }))
        config.chmod(0o600)
        process = await asyncio.create_subprocess_exec(
            "nanobot", "agent", "-c", str(config), "-w", str(home / "workspace"),
            "-s", "cli:example", "--json", "-m", "Go.", stdout=-1, stderr=-1,
        )
        out, error = await process.communicate()
        if process.returncode:
            sys.exit(error.decode() + out.decode())
        sent = server.requests[-1]
        answer = json.loads(out)
        answer["results"] = list(server.tool_results(sent).values())
        answer["tools"] = [tool["function"]["name"] for tool in sent.json.get("tools", ())]
        answer["stderr"] = error.decode()
        print(json.dumps(answer))

asyncio.run(main())
"""


def fetch(command: Sequence[str], cwd: Path | None = None) -> None:
    """Run a command that may ask the package registry."""
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, timeout=_BUILD_TIMEOUT_S
    )
    if done.returncode == 0:
        return
    output = done.stdout + done.stderr
    if _NO_REGISTRY.search(output):
        raise RegistryUnreachable(output)
    raise AssertionError(f"{' '.join(command)}\n{output}")


def build_wheel(project: Path, out: Path) -> Path:
    """Build the wheel of a project, from a copy that knows no repository around it."""
    copy = out / "source" / project.name
    leave_out = shutil.ignore_patterns("__pycache__", "*.egg-info", ".venv", "dist")
    shutil.copytree(project, copy, ignore=leave_out, dirs_exist_ok=True)
    wheels = out / project.name
    if UV:
        fetch([UV, "build", "--quiet", "--wheel", "--out-dir", str(wheels), str(copy)])
    else:
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
        fetch([*pip, "--wheel-dir", str(wheels), str(copy)])
    found = sorted(wheels.glob("*.whl"))
    assert len(found) == 1, found
    return found[0]


def unreachable(error: RegistryUnreachable) -> None:
    """Skip where there is no registry, unless a run must be complete."""
    if STRICT:
        raise error
    pytest.skip("the package registry can not be reached")


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the wheels of the core with its parts, the kit, and a provider to script."""
    out = tmp_path_factory.mktemp("wheels")
    folders = {"nanobot-core": ROOT / "nanobot-core"}
    try:
        return {name: build_wheel(folders.get(name, ROOT / "plugins" / name), out) for name in HOST}
    except RegistryUnreachable as error:
        unreachable(error)
        raise


@pytest.fixture
def environment(wheels: dict[str, Path], tmp_path: Path) -> Environment:
    """Return a fresh virtual environment with the host's wheels."""
    folder, home = tmp_path / "venv", tmp_path / "home"
    home.mkdir()
    if UV:
        fetch([UV, "venv", "--quiet", "--python", sys.executable, str(folder)])
    else:
        fetch([sys.executable, "-m", "venv", str(folder)])
    made = Environment(folder=folder, home=home)
    try:
        made.install(*wheels.values())
    except RegistryUnreachable as error:
        unreachable(error)
    return made


@pytest.fixture
def build(tmp_path: Path) -> Callable[[Path], Path]:
    """Return a function that builds a project's wheel."""

    def make(project: Path) -> Path:
        try:
            return build_wheel(project, tmp_path / "built")
        except RegistryUnreachable as error:
            unreachable(error)
            raise

    return make
