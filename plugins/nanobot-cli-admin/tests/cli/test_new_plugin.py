"""`nanobot plugins new`: what it writes passes its own tests."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import ConfigError
from nanobot_cli_admin.new_plugin import create

HEADINGS = ("## Install", "## Configuration", "## Permissions", "## Limits", "## Removal")
KINDS = ("tool", "provider", "command", "prompt", "middleware", "channel", "service", "store")


def _install(folder: Path, site: Path) -> None:
    """Write the metadata that installing the folder would write."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n\n"
    )
    (info / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in names.items())
            for group, names in project["entry-points"].items()
        )
    )


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "provider"])
def test_its_contract_holds(kind: str, tmp_path: Path, home: Path) -> None:
    folder = create(kind, "lucky_dice", tmp_path)
    site = tmp_path / "site"
    _install(folder, site)
    path = os.pathsep.join([str(folder / "src"), str(site)])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout and "skipped" not in done.stdout


def test_a_provider_is_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = create("provider", "acmeCloud", tmp_path)
    monkeypatch.syspath_prepend(folder / "src")
    from nanobot_provider_acme_cloud.plugin import nanobot_providers

    [spec] = nanobot_providers()
    assert (spec.name, spec.title, spec.env_keys) == (
        "acme_cloud",
        "Acme Cloud",
        ("ACME_CLOUD_API_KEY",),
    )
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert "nanobot-provider-compat>=0.1,<0.2" in project["dependencies"]


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_whole(kind: str, tmp_path: Path) -> None:
    folder = create(kind, "dice", tmp_path)
    assert folder == tmp_path / f"nanobot-{kind}-dice"
    package = folder / "src" / f"nanobot_{kind}_dice"
    assert (package / "py.typed").read_bytes() == b""
    for path in folder.rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text())), path
    readme = (folder / "README.md").read_text()
    assert readme.startswith(f"# nanobot-{kind}-dice\n")
    assert all(heading in readme for heading in HEADINGS)
    texts = [path.read_text() for path in folder.rglob("*") if path.is_file()]
    assert not [text for text in texts if "$" in text.replace("${VAR}", "")]
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert "## " + project["version"] in (folder / "CHANGELOG.md").read_text()


def test_it_says_how_to_go_on(nanobot: Any, tmp_path: Path) -> None:
    result = nanobot("plugins", "new", "tool", "nanobot-tool-dice", "--dir", str(tmp_path))
    assert (tmp_path / "nanobot-tool-dice" / "pyproject.toml").exists()
    assert "pip install -e . nanobot-testing" in result.stdout


def test_nothing_is_overwritten(nanobot: Any, tmp_path: Path) -> None:
    create("tool", "dice", tmp_path)
    pyproject = tmp_path / "nanobot-tool-dice" / "pyproject.toml"
    pyproject.write_text("mine")
    result = nanobot("plugins", "new", "tool", "dice", "--dir", str(tmp_path), status=1)
    assert "exists already" in result.stderr
    assert pyproject.read_text() == "mine"


@pytest.mark.parametrize("name", ["", "../x", "1st", "a b", "ä", "a__b", "_a", "a.b", "x\x00"])
def test_a_name_that_can_be_none(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can not name a plugin"):
        create("tool", name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_can_not_be_made(nanobot: Any, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    result = nanobot("plugins", "new", "tool", "dice", "--dir", str(file), status=1)
    assert "can not be made" in result.stderr


def test_every_kind_is_told(nanobot: Any) -> None:
    text = nanobot("plugins", "new", "--help").stdout
    assert all(kind in text for kind in KINDS)
    refused = nanobot("plugins", "new", "gizmo", "x", status=2).stderr
    assert all(repr(kind) in refused for kind in KINDS)
