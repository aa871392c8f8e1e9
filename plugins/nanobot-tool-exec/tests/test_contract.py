"""The shell tool keeps every promise of a tool."""

from typing import ClassVar

from nanobot_testing import ToolContract


class TestExec(ToolContract):
    plugin = "tools.exec"
    config: ClassVar = {"sandbox": ""}
    examples: ClassVar = {
        "exec": [{"command": "echo hi"}, {"cmd": "pwd", "workdir": ".", "timeout": 5}]
    }
