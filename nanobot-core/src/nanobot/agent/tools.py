"""The names that files in ``{workspace}/tools`` import: `Tool`, `ToolContext`, ...

They belong to the plugin ``nanobot-tool-workspace``, which loads such files.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    try:
        return getattr(import_module("nanobot_tool_workspace.base"), name)
    except ModuleNotFoundError as missing:
        raise ImportError("pip install nanobot-tool-workspace") from missing
