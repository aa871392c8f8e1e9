"""The environment that commands get: an allow list, so that no key of nanobot's is ever in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from nanobot_tool_exec.config import ExecConfig

_ALLOWED = ("HOME", "LANG", "LOGNAME", "SHELL", "TERM", "TMPDIR", "TZ", "USER")


def scrubbed(parent: Mapping[str, str], config: ExecConfig) -> dict[str, str]:
    """Return the variables of the parent that a command may see, and the PATH to search."""
    allowed = {*_ALLOWED, *config.allowed_env_keys}
    kept = {key: value for key, value in parent.items() if key in allowed or key.startswith("LC_")}
    kept["PYTHONUNBUFFERED"] = "1"
    kept["PATH"] = os.pathsep.join(
        part
        for part in (config.path_prepend, parent.get("PATH") or os.defpath, config.path_append)
        if part
    )
    return kept


def homed(env: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return the environment for a place where the home and the temporary folder are others."""
    return {**{key: value for key, value in env.items() if key != "TMPDIR"}, "HOME": str(home)}
