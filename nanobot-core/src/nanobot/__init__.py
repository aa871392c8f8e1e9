"""nanobot: a personal AI agent runtime built as a microkernel.

This module is a lazy facade: a name is imported when it is first used, so ``import nanobot`` costs
next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nanobot.hookspecs import hookimpl, hookspec
    from nanobot.run_events import RunResult, StreamEvent
    from nanobot.sdk import Nanobot

__version__ = "0.1.0"
API_VERSION = 1
"""Major version of the plugin API; entry-point groups carry it: ``nanobot.v1.tools``."""

_HOMES = {
    "hookimpl": "nanobot.hookspecs",
    "hookspec": "nanobot.hookspecs",
    "Nanobot": "nanobot.sdk",
    "RunResult": "nanobot.run_events",
    "StreamEvent": "nanobot.run_events",
}

__all__ = ["API_VERSION", "Nanobot", "RunResult", "StreamEvent", "__version__"]
__all__ += ["hookimpl", "hookspec"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'nanobot' has no attribute {name!r}")
