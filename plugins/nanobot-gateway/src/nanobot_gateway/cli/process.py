"""The process of a running gateway, seen from the command line."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from nanobot.admin import load
from nanobot.errors import NanobotError

from nanobot_gateway.gateway import status_path
from nanobot_gateway.locking import holder

STOP_S = 30.0


def stop(config_path: Path, workspace: Path | None) -> int:
    """End the gateway of an instance; return its pid, 0 if none ran.

    Raises:
        NanobotError: It does not end.
    """
    instance = load(config_path).instance(workspace)
    pid = holder(instance)
    if not pid:
        return 0
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + STOP_S
    while holder(instance) == pid:
        if time.monotonic() > until:
            raise NanobotError(
                f"the gateway (pid {pid}) does not end",
                remedy=f"A second signal ends it at once: kill {pid}",
            )
        time.sleep(0.05)
    return pid


def report(config_path: Path, workspace: Path | None) -> tuple[list[str], int]:
    """Return how the gateway of an instance fares, as lines, and an exit status."""
    instance = load(config_path).instance(workspace)
    pid = holder(instance)
    if not pid:
        return ["no gateway is running"], 3
    try:
        status = json.loads(status_path(instance.data).read_text())
    except (OSError, ValueError):
        status = {}
    if status.get("pid") != pid:
        return [f"the gateway (pid {pid}) is starting"], 0
    lines = [f"the gateway runs (pid {pid}, since {status['started_at']})"]
    lines += [f"{id}: {state}" for id, state in sorted(status["parts"].items())]
    problems = status["problems"]
    return lines, 1 if problems else 0
