"""What a command of a turn may touch."""

from __future__ import annotations

from pathlib import Path

from nanobot.messages import Workspace

from nanobot_tool_exec.config import ExecConfig
from nanobot_tool_exec.sandbox import Jail


def jail_for(workspace: Workspace, cwd: Path, config: ExecConfig, own: Path) -> Jail:
    """Return the jail of a command.

    Args:
        cwd: Where the command starts.
        own: The tool's own folder, hidden like all that belongs to the instance.
    """
    folders = f"{config.path_prepend}:{config.path_append}".split(":")
    return Jail(
        cwd=cwd,
        writable=(workspace.root, *map(Path, config.sandbox_rw_binds)),
        readable=tuple(
            Path(path) for path in (*config.sandbox_ro_binds, *folders) if path.startswith("/")
        ),
        everything=not workspace.restricted,
        hidden=(*workspace.denied, own),
        network=not workspace.restricted if config.network is None else config.network,
    )
