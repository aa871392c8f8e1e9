"""The texts that make a gateway a service: a systemd user unit, or a macOS LaunchAgent."""

from __future__ import annotations

import hashlib
import os
import plistlib
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nanobot.errors import ConfigError
from nanobot.paths import default_config_path

PAUSE_S = 10
"""Seconds that a service manager waits before it starts a gateway again that failed."""
LEAVE_S = 30
"""Seconds that a gateway has to end; its own draining takes at most half of that."""
STOPPED_AT_ONCE = 130
"""Exit status of a gateway that was asked twice to stop: not a failure."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """What a service is to run.

    Args:
        command: The program, as an absolute path, and its arguments.
        about: The configuration file, for people who read the unit.
        search: The PATH that tools find their programs with.
    """

    command: Sequence[str]
    about: Path
    search: str


def service_name(config: Path) -> str:
    """Return the name of an instance's service; each configuration file has its own."""
    place, default = _place(config), _place(default_config_path())
    if place == default:
        return "nanobot-gateway"
    return f"nanobot-gateway-{hashlib.sha256(os.fsencode(place)).hexdigest()[:8]}"


def _place(config: Path) -> Path:
    return config.parent.resolve() / config.name


def gateway_command(config: Path, workspace: Path | None, flags: Sequence[str] = ()) -> list[str]:
    """Return the command that runs an instance's gateway in the foreground, from any folder."""
    # Without -P, Python would import modules from the folder that it happens to be started in.
    command = [sys.executable, "-P", "-m", "nanobot", "gateway", "-c", str(config.absolute())]
    if workspace is not None:
        command += ["-w", str(workspace.expanduser().absolute())]
    return [*command, *flags]


def search_path(path: str) -> str:
    """Return a PATH without entries that depend on the current folder."""
    return ":".join(entry for entry in path.split(":") if entry.startswith("/"))


def systemd_unit(launch: Launch) -> str:
    """Return the unit file of a user service.

    The sandboxing is what every tool can live with: no new privileges (and so no sudo), no
    real-time scheduling, no change of the execution domain.

    Raises:
        ConfigError: A path has characters that a unit can not hold.
    """
    program, *arguments = launch.command
    if set("\\\"'") & set(program):
        raise ConfigError(
            f"systemd can not run {program}: quotes and backslashes are not allowed in it",
            remedy="Install nanobot into an environment whose path has none.",
        )
    # The program's own path is the one word in which systemd replaces no variables.
    words = [_quoted(program), *(_quoted(word.replace("$", "$$")) for word in arguments)]
    return f"""\
[Unit]
Description=nanobot gateway ({_percent(launch.about.as_posix())})

[Service]
Type=simple
ExecStart={" ".join(words)}
Environment={_quoted(f"PATH={launch.search}")}
Environment=PYTHONUNBUFFERED=1
Restart=on-failure
RestartSec={PAUSE_S}
SuccessExitStatus={STOPPED_AT_ONCE}
KillMode=mixed
TimeoutStopSec={LEAVE_S}
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes

[Install]
WantedBy=default.target
"""


def launch_agent(launch: Launch, *, label: str, log: Path) -> str:
    """Return the property list of a LaunchAgent.

    Raises:
        ConfigError: A path has characters that a property list can not hold.
    """
    described = {
        "Label": label,
        "ProgramArguments": [_plain(word) for word in launch.command],
        "EnvironmentVariables": {"PATH": _plain(launch.search), "PYTHONUNBUFFERED": "1"},
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": PAUSE_S,
        "ExitTimeOut": LEAVE_S,
        "Umask": 0o077,
        "StandardOutPath": _plain(log.as_posix()),
        "StandardErrorPath": _plain(log.as_posix()),
    }
    return plistlib.dumps(described, sort_keys=False).decode()


def _quoted(word: str) -> str:
    """Return a word as systemd reads it back; see "Quoting" in systemd.syntax(7)."""
    escaped = _percent(word).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _percent(text: str) -> str:
    return _plain(text).replace("%", "%%")


def _plain(text: str) -> str:
    """Return a text that one line of UTF-8 can hold.

    Raises:
        ConfigError: It can not be held.
    """
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise ConfigError(
            f"a service can not be made with {text!r}: it has line breaks, control characters, or "
            "bytes that are not UTF-8",
            remedy="Rename the folder or file, or take the entry out of PATH.",
        )
    return text
