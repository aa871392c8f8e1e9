"""The shell tool keeps every promise of a tool."""

from typing import ClassVar

from nanobot_testing import ToolContract


class TestExec(ToolContract):
    plugin = "tools.exec"
    config: ClassVar = {"sandbox": ""}
    examples: ClassVar = {
        "exec": [
            {"command": "echo hi"},
            {"cmd": "pwd", "workdir": ".", "timeout": 5},
            {"command": "timeout 2 cat", "yield_time_ms": 0},
        ],
        "write_stdin": [{"session_id": "1", "chars": "hi\n", "wait_for": "hi"}],
        "list_exec_sessions": [{}],
    }
