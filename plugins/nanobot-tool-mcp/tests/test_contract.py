"""The plugin keeps the contract of tools."""

from __future__ import annotations

import sys

from nanobot_testing import ToolContract


class TestMcp(ToolContract):
    plugin = "tools.mcp"
    config = {"time": {"command": sys.executable, "args": ["-m", "mcp_server_time"]}}  # noqa: RUF012
