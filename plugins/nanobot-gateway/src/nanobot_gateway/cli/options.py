"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from nanobot.paths import default_config_path

F = TypeVar("F", bound=Callable[..., Any])


def instance_options(function: F) -> F:
    """Add ``--config`` and ``--workspace``."""
    config = click.option(
        "-c",
        "--config",
        "config_path",
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


def existing(path: Path) -> Path:
    """Return a configuration file as an absolute path; one that was named must exist."""
    path = path.expanduser().absolute()
    if path != default_config_path() and not path.exists():
        raise click.ClickException(f"configuration file not found: {path}")
    return path
