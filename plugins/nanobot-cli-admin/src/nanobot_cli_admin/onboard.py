"""``nanobot onboard``: the configuration file and the workspace, made or completed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import click
from nanobot.admin import Document, load, scan
from nanobot.admin import read_document as read
from nanobot.admin import save_document as save
from nanobot.errors import ConfigError
from nanobot.paths import default_config_path, private_dir

from nanobot_cli_admin.edit import add_missing, write
from nanobot_cli_admin.options import config_file, config_option, workspace_option
from nanobot_cli_admin.text import say

_FILES = Path(__file__).parent / "templates" / "workspace"
_KNOWN_VENDORS = ("openai", "anthropic", "openrouter", "deepseek")


@click.command()
@config_option
@workspace_option
@click.option("--refresh", is_flag=True, help="Complete an existing configuration without asking.")
@click.option("-y", "--yes", is_flag=True, help="Overwrite an existing configuration; keep a copy.")
def command(config_path: Path | None, workspace: Path | None, refresh: bool, yes: bool) -> None:
    """Create the configuration and the workspace, or complete what is there.

    An existing configuration is kept: what it lacks is added, nothing is changed. Files of the
    workspace are never overwritten.
    """
    path = config_file(config_path, must_exist=False)
    folder = (workspace or path.absolute().parent / "workspace").expanduser().absolute()
    defaults = _defaults(folder)
    kept = path.exists()
    if kept and not refresh and _overwrite(path, yes):
        say(f"Kept the old configuration as {_move_away(path)}")
        kept = False
    if kept:
        _complete(path, defaults)
    else:
        save(Document(path=path, data={}), defaults)
        say(f"Created {path}")
    used = load(path).instance().workspace
    if workspace and used != folder:
        say(f"The workspace stays {used}, as configured. To change it:", err=True)
        say(f"  nanobot config set agents.defaults.workspace {folder}{_option(path)}", err=True)
    for made in _fill(used):
        say(f"Created {made}")
    _tell_next(path)


def _defaults(workspace: Path) -> dict[str, Any]:
    """Return what a new file holds: the places where a user is likely to add something."""
    home = Path.home()
    short = f"~/{workspace.relative_to(home)}" if workspace.is_relative_to(home) else workspace
    return {
        "agents": {"defaults": {"workspace": str(short), "provider": "auto"}},
        "modelPresets": {},
        "providers": {},
        "channels": {},
        "tools": {"restrictToWorkspace": False},
    }


def _overwrite(path: Path, yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        return False
    say(f"{path} exists. y replaces it by a new one and keeps a copy; N adds what it lacks.")
    return click.confirm("Overwrite it?", default=False)


def _move_away(path: Path) -> Path:
    """Rename the file; when anything goes wrong afterwards, its content is still there."""
    target = path.resolve()
    backup = next(
        name for n in count(1) if not (name := target.with_name(f"{target.name}.bak-{n}")).exists()
    )
    try:
        target.chmod(0o600)
        target.rename(backup)
    except OSError as error:
        raise ConfigError(f"{path}: can not be replaced: {error.strerror}") from None
    return backup


def _complete(path: Path, defaults: dict[str, Any]) -> None:
    document = read(path)
    data = add_missing(document.data, defaults)
    if data == document.data:
        say(f"{path} is complete; nothing was changed")
    else:
        write(document, data, specs={})
        say(f"Added to {path}: {', '.join(_added(document.data, data))}")


def _added(before: Any, after: dict[str, Any]) -> Iterator[str]:
    for key, value in after.items():
        if key not in before:
            yield key
        elif isinstance(value, dict):
            yield from (f"{key}.{inner}" for inner in _added(before[key], value))


def _fill(workspace: Path) -> Iterator[Path]:
    """Yield the files and folders that the workspace lacked; they are there now."""
    try:
        if not workspace.exists():
            yield private_dir(workspace)
        for folder in (workspace / "memory", workspace / "skills"):
            private_dir(folder)
        for template in sorted(_FILES.rglob("*.md")):
            path = workspace / template.relative_to(_FILES)
            if not path.is_symlink() and not path.exists():
                with open(path, "xb", opener=_open_private) as file:
                    file.write(template.read_bytes())
                yield path
    except OSError as error:
        raise ConfigError(
            f"the workspace {workspace} can not be made: {error.strerror}: {error.filename}",
            remedy="Name another one: --workspace FOLDER",
        ) from None


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _option(path: Path) -> str:
    return "" if path == default_config_path() else f" -c {path}"


def _tell_next(path: Path) -> None:
    installed = {entry.name for entry in scan().plugins if entry.kind == "providers"}
    vendor = next((name for name in _KNOWN_VENDORS if name in installed), "")
    say()
    if not vendor:
        vendor = _KNOWN_VENDORS[0]
        say(f"Install a model provider:  pip install nanobot-provider-{vendor}")
    say(f"Set its key:  nanobot config set providers.{vendor}.apiKey KEY{_option(path)}")
    say(f'Then try:     nanobot agent -m "Hello!"{_option(path)}')
