"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from nanobot.errors import ConfigError
from nanobot.paths import default_config_path

F = TypeVar("F", bound=Callable[..., Any])


def config_option(function: F) -> F:
    """Add ``--config``."""
    return click.option(
        "-c",
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        help="Configuration file (default: ~/.nanobot/config.json).",
    )(function)


def workspace_option(function: F) -> F:
    """Add ``--workspace``."""
    return click.option(
        "-w",
        "--workspace",
        type=click.Path(path_type=Path),
        help="Workspace folder, in place of the configured one.",
    )(function)


def config_file(named: Path | None, *, must_exist: bool = True) -> Path:
    """Return the configuration file to use.

    Raises:
        ConfigError: A file was named that does not exist.
    """
    if named is None:
        return default_config_path()
    path = named.expanduser()
    if must_exist and not path.exists():
        raise ConfigError(
            f"configuration file not found: {path}", remedy=f"nanobot onboard --config {path}"
        )
    return path
