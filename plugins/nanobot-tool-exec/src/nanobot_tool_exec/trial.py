"""Find out whether a sandbox works on this machine."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from nanobot_tool_exec.sandbox import Jail, Launch, Sandbox

_LONGEST_S = 20.0
_SHOWN = 300


def try_out(sandbox: Sandbox) -> str:
    """Confine a program that does nothing; return what went wrong, empty when nothing did.

    Takes some milliseconds; call it in a thread.
    """
    nothing = Launch(argv=("/bin/sh", "-c", "exit 0"), env={"PATH": os.defpath})
    with tempfile.TemporaryDirectory(prefix="nanobot-") as folder:
        workspace, hidden = Path(folder), Path(folder, "hidden")
        hidden.mkdir()
        jail = Jail(cwd=workspace, writable=(workspace,), hidden=(hidden,))
        try:
            with sandbox.confine(nothing, jail) as launch:
                done = subprocess.run(
                    launch.argv,
                    env=launch.env,
                    pass_fds=launch.fds,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=_LONGEST_S,
                )
        except subprocess.TimeoutExpired:
            return "it does not answer"
    if not done.returncode:
        return ""
    return f"it does not work here ({done.stderr.strip()[-_SHOWN:]})"
