"""``nanobot tools``: say which files of the workspace may be loaded as tools."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from nanobot.admin import load
from nanobot.errors import ConfigError
from nanobot.paths import default_config_path

from nanobot_tool_workspace.config import FOLDER, WorkspaceConfig
from nanobot_tool_workspace.plugin import SPEC
from nanobot_tool_workspace.sources import Source, find
from nanobot_tool_workspace.trust import Trust

F = TypeVar("F", bound=Callable[..., Any])
_STATES = {
    "changed": "changed since it was approved; not loaded",
    "new": "waits for your approval; not loaded",
    "trusted": "approved",
    "unreadable": "can not be read",
}


@dataclass(frozen=True, kw_only=True)
class _Desk:
    """An instance as this command sees it."""

    folder: Path
    files: Sequence[Source]
    trust: Trust
    config: WorkspaceConfig


def _instance(function: F) -> F:
    """Add the options that name an instance."""
    config = click.option(
        "-c",
        "--config",
        "path",
        type=click.Path(path_type=Path),
        default=default_config_path,
        help="Configuration file (default: ~/.nanobot/config.json).",
    )
    workspace = click.option(
        "-w",
        "--workspace",
        type=click.Path(path_type=Path),
        help="Workspace folder, in place of the configured one.",
    )
    return config(workspace(function))


def _open(path: Path, workspace: Path | None) -> _Desk:
    loaded = load(path)
    instance = loaded.instance(workspace)
    section = loaded.section(SPEC, "tools")
    assert isinstance(section, WorkspaceConfig)
    return _Desk(
        folder=instance.workspace.resolve() / FOLDER,
        files=find(instance.workspace),
        trust=Trust(instance.plugin_data("tools.workspace")),
        config=section,
    )


@click.group()
def command() -> None:
    """Say which Python files of the workspace may be loaded as tools."""


@command.command("list")
@_instance
def list_files(path: Path, workspace: Path | None) -> None:
    """Show the files in the workspace's folder tools."""
    desk = _open(path, workspace)
    if desk.config.trust is False:
        click.echo("tools.workspace.trust is false: none is loaded.")
    if desk.config.trust is True:
        click.echo("tools.workspace.trust is true: all are loaded, approved or not.")
    for source in desk.files:
        about = source.problem or _STATES[desk.trust.state(source)]
        click.echo(f"{source.name:24} {source.digest[:12]}  {about}")
    if not desk.files:
        click.echo(f"There are no tools in {desk.folder}.")


@command.command()
@click.argument("names", nargs=-1)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@_instance
def trust(names: tuple[str, ...], yes: bool, path: Path, workspace: Path | None) -> None:
    """Approve files as they are now: all that wait, or those named.

    A file that is changed afterwards must be approved again. What is approved runs with all your
    rights: read it first.
    """
    desk = _open(path, workspace)
    chosen = [_named(name, desk) for name in names] or list(desk.files)
    waiting = [source for source in chosen if desk.trust.state(source) in ("new", "changed")]
    for source in waiting:
        click.echo(f"{source.path}  ({len(source.data)} bytes, sha256 {source.digest[:12]})")
        if yes or click.confirm("Load it from now on, with all your rights?"):
            desk.trust.approve(source)
            click.echo(f"Approved {source.name}; it is loaded at the next start.")
    if not waiting:
        click.echo("Nothing waits for your approval.")


@command.command()
@click.argument("names", nargs=-1, required=True)
@_instance
def revoke(names: tuple[str, ...], path: Path, workspace: Path | None) -> None:
    """Take back the approval of files, also of those that are gone."""
    desk = _open(path, workspace)
    for name in names:
        file = desk.folder / _file(name)
        if not desk.trust.revoke(file):
            known = ", ".join(one.name for one in desk.trust.approved(desk.folder)) or "none"
            raise ConfigError(f"{file.name} is not approved", remedy=f"Approved are: {known}.")
        click.echo(f"{file.name} is not approved any more; it is left out at the next start.")


def _named(name: str, desk: _Desk) -> Source:
    for source in desk.files:
        if source.name == _file(name):
            if source.problem:
                raise ConfigError(f"{source.name}: {source.problem}")
            return source
    known = ", ".join(source.name for source in desk.files) or "none"
    raise ConfigError(f"there is no {_file(name)} in {desk.folder}", remedy=f"There are: {known}.")


def _file(name: str) -> str:
    return name if name.endswith(".py") else f"{name}.py"
