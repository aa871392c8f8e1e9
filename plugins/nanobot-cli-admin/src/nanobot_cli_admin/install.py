"""`nanobot plugins install` and `uninstall`: the exact pip command, shown and then run."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys

from nanobot import admin
from nanobot.errors import ConfigError, NanobotError
from nanobot_settings.keys import nearest
from nanobot_settings.spelling import snake

from nanobot_cli_admin.known import NAMES

_REQUIREMENT = re.compile(r"nanobot-[a-z0-9-]*[a-z0-9](?:\s*(?:[<>=!~]=?=?)[\w.*,<>=!~ ]+)?", re.I)


def requirement(name: str) -> str:
    """Return the distribution that a user means, by the naming law.

    Args:
        name: ``feishu``, ``channels.feishu``, or ``nanobot-channel-feishu`` with or without a
            version.

    Raises:
        ConfigError: The name does not say what to install.
    """
    if _REQUIREMENT.fullmatch(name):
        return name
    kind, dot, rest = name.rpartition(".")
    if dot and kind.isidentifier() and snake(rest).isidentifier():
        return admin.distribution(kind, rest)
    kinds = [kind for kind, names in NAMES.items() if snake(name) in names]
    if len(kinds) == 1:
        return admin.distribution(kinds[0], name)
    if kinds:
        meant = " or ".join(f"{kind}.{name}" for kind in kinds)
        raise ConfigError(f"{name!r} may mean {meant}", remedy="Name one of them in full.")
    near = nearest(name, (known for names in NAMES.values() for known in names))
    raise ConfigError(
        f"no plugin is known by the name {name!r}" + (f"; did you mean {near}?" if near else ""),
        remedy="Say which kind it is (channels.NAME, providers.NAME, tools.NAME, ...), or give its "
        "distribution's name: nanobot-KIND-NAME",
    )


def command(action: str, target: str) -> list[str]:
    """Return the command that installs or uninstalls into this Python's environment.

    Args:
        action: ``install`` or ``uninstall``.

    Raises:
        NanobotError: There is neither pip nor uv.
    """
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", action, *(["-y"] * (action == "uninstall")), target]
    uv = shutil.which("uv")
    if uv:
        return [uv, "pip", action, "--python", sys.executable, target]
    raise NanobotError(
        f"neither pip nor uv can be found for {sys.executable}",
        remedy=f"{sys.executable} -m ensurepip --upgrade   installs pip",
    )


def run(arguments: list[str]) -> int:
    """Run the command in sight of the user and return its exit status."""
    return subprocess.run(arguments, check=False).returncode


def shown(arguments: list[str]) -> str:
    """Return the command as one would type it."""
    return shlex.join(arguments)
