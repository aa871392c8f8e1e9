"""`nanobot onboard`: a new instance, and an old one that loses nothing."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FILES = ("SOUL.md", "USER.md", "AGENTS.md", "HEARTBEAT.md", "memory/MEMORY.md")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".last-good" not in path.name
    }


def answer_in_a_terminal(text: str, *arguments: str) -> tuple[int, str]:
    """Run the command line with a terminal for its input, and type the text."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "nanobot", *arguments],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    os.close(theirs)
    os.write(ours, text.encode())
    output, _ = process.communicate(timeout=60)
    os.close(ours)
    return process.returncode, output


def test_a_new_instance(nanobot: Any, home: Path) -> None:
    result = nanobot("onboard")
    data = home / ".nanobot"
    config = data / "config.json"
    assert mode(config) == 0o600 and mode(data) == 0o700
    document = json.loads(config.read_text())
    assert document["agents"]["defaults"] == {
        "workspace": "~/.nanobot/workspace",
        "provider": "auto",
    }
    assert document["providers"] == document["modelPresets"] == document["channels"] == {}
    workspace = data / "workspace"
    assert mode(workspace) == 0o700
    for name in FILES:
        assert (workspace / name).is_file()
        assert f"Created {workspace / name}\n" in result.stdout
    assert "## Active Tasks" in (workspace / "HEARTBEAT.md").read_text()
    assert (workspace / "skills").is_dir()
    assert f"Created {config}" in result.stdout
    assert "apiKey KEY" in result.stdout
    assert result.stdout.rstrip().endswith('nanobot agent -m "Hello!"')


def test_what_it_writes_is_valid(nanobot: Any, home: Path) -> None:
    nanobot("onboard")
    assert "no problem was found" in nanobot("config", "check").stdout


def test_instances_are_apart(nanobot: Any, home: Path, tmp_path: Path) -> None:
    config, workspace = tmp_path / "one" / "c.json", tmp_path / "two"
    result = nanobot("onboard", "--config", str(config), "--workspace", str(workspace))
    document = json.loads(config.read_text())
    assert document["agents"]["defaults"]["workspace"] == str(workspace)
    assert (workspace / "SOUL.md").exists()
    assert not (home / ".nanobot").exists()
    assert f"-c {config}" in result.stdout
    other = tmp_path / "other" / "config.json"
    nanobot("onboard", "-c", str(other))
    assert (other.parent / "workspace" / "SOUL.md").exists()
    assert not (home / ".nanobot").exists()


def test_twice_changes_nothing(nanobot: Any, home: Path) -> None:
    nanobot("onboard")
    (home / ".nanobot" / "workspace" / "SOUL.md").write_text("mine")
    before = tree(home)
    assert "nothing was changed" in nanobot("onboard").stdout
    assert tree(home) == before


OLD: dict[str, Any] = {
    "agents": {"defaults": {"model": "gpt-5", "max_tokens": 5}},
    "providers": {"acme": {"apiKey": "sk-acme-123456"}},
    "somethingElse": {"kept": [1, 2]},
}


@pytest.mark.parametrize("arguments", [[], ["--refresh"], ["--refresh", "-y"]])
def test_an_old_configuration_is_completed(
    nanobot: Any, config: Any, home: Path, arguments: list[str]
) -> None:
    path = config(OLD)
    result = nanobot("onboard", *arguments)
    data = json.loads(path.read_text())
    assert data["agents"]["defaults"] == {
        "model": "gpt-5",
        "maxTokens": 5,
        "workspace": "~/.nanobot/workspace",
        "provider": "auto",
    }
    assert data["providers"] == OLD["providers"]
    assert data["somethingElse"] == OLD["somethingElse"]
    assert data["tools"] == {"restrictToWorkspace": False}
    assert "agents.defaults.workspace, agents.defaults.provider, modelPresets" in result.stdout
    assert mode(path) == 0o600
    assert not list(path.parent.glob("*.bak*"))
    assert "sk-acme" not in result.output


def test_yes_overwrites_and_keeps_copies(nanobot: Any, config: Any) -> None:
    path = config(OLD)
    result = nanobot("onboard", "-y")
    first = path.with_name("config.json.bak-1")
    assert json.loads(first.read_text()) == OLD and mode(first) == 0o600
    assert f"Kept the old configuration as {first}" in result.stdout
    assert json.loads(path.read_text())["providers"] == {}
    path.write_text("not JSON at all")
    nanobot("onboard", "-y")
    assert path.with_name("config.json.bak-2").read_text() == "not JSON at all"
    assert json.loads(first.read_text()) == OLD


def test_a_person_is_asked(config: Any, home: Path) -> None:
    path = config(OLD)
    status, output = answer_in_a_terminal("\n", "onboard")
    assert status == 0 and "Overwrite it? [y/N]" in output
    assert json.loads(path.read_text())["somethingElse"] == OLD["somethingElse"]
    status, output = answer_in_a_terminal("y\n", "onboard")
    assert status == 0
    assert "somethingElse" not in json.loads(path.read_text())
    kept = json.loads(path.with_name("config.json.bak-1").read_text())
    assert kept["somethingElse"] == OLD["somethingElse"]


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1, "a": 2}', ""])
def test_what_can_not_be_read_can_not_be_completed(
    nanobot: Any, config: Any, home: Path, content: str
) -> None:
    path = config(content)
    result = nanobot("onboard", status=1)
    assert str(path) in result.stderr and "line 1" in result.stderr
    assert tree(home) == {".nanobot/config.json": content.encode()}


def test_a_configuration_that_is_not_valid_is_completed_and_named(
    nanobot: Any, config: Any, home: Path
) -> None:
    path = config({"agents": {"defaults": {"maxTokens": "many"}}})
    result = nanobot("onboard", status=1)
    assert "agents.defaults.maxTokens: should be" in result.stderr
    assert json.loads(path.read_text())["agents"]["defaults"]["maxTokens"] == "many"
    assert not (home / ".nanobot" / "workspace").exists()


def test_a_link_stays_a_link(nanobot: Any, config: Any, tmp_path: Path) -> None:
    path = config({})
    real = tmp_path / "real.json"
    path.rename(real)
    path.symlink_to(real)
    real.write_text(json.dumps(OLD))
    nanobot("onboard", "-y")
    assert path.is_symlink()
    assert json.loads(real.read_text())["providers"] == {}
    assert json.loads(real.with_name("real.json.bak-1").read_text()) == OLD


def test_files_of_the_workspace_are_never_touched(nanobot: Any, home: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "project"
    workspace.mkdir(mode=0o755)
    (workspace / "AGENTS.md").write_text("mine")
    outside = tmp_path / "outside.md"
    (workspace / "SOUL.md").symlink_to(outside)
    nanobot("onboard", "-w", str(workspace))
    assert (workspace / "AGENTS.md").read_text() == "mine"
    assert not outside.exists()
    assert mode(workspace) == 0o755
    assert (workspace / "USER.md").exists()


def test_another_workspace_than_the_configured_one(
    nanobot: Any, config: Any, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    config({"agents": {"defaults": {"workspace": str(here)}}})
    result = nanobot("onboard", "--workspace", str(there))
    assert f"The workspace stays {here}" in result.stderr
    assert f"nanobot config set agents.defaults.workspace {there}" in result.stderr
    assert (here / "SOUL.md").exists() and not there.exists()


def test_a_workspace_that_can_not_be_made(nanobot: Any, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    result = nanobot("onboard", "--workspace", str(file), status=1)
    assert str(file) in result.stderr and "--workspace" in result.stderr
    assert file.read_text() == "mine"


def test_the_key_of_an_installed_vendor_is_asked_for(nanobot: Any, plugin_dir: Any) -> None:
    plugin_dir.add("providers.anthropic", distribution="nanobot-provider-anthropic-test")
    text = nanobot("onboard").stdout
    assert "pip install" not in text
    assert "nanobot config set providers." in text
