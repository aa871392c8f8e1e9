"""The contract of tool plugins, for looking back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from nanobot_testing.desk import DeskToolContract, ScriptedDesk


class TestSessions(DeskToolContract):
    plugin = "tools.sessions"
    config: ClassVar[Mapping[str, object]] = {"searchDepth": 5}
    examples: ClassVar[Mapping[str, Sequence[Mapping[str, object]]]] = {
        "list_sessions": [{}, {"limit": 1}],
        "search_sessions": [{"query": "pipe organ"}],
        "read_session": [
            {"session_key": "cli:direct"},
            {"session_key": "cli:direct", "query": "organ", "before": 2},
        ],
    }

    def desk(self, folder: Path) -> ScriptedDesk:
        return ScriptedDesk().holds("cli:direct", "Where is the pipe organ?", "In the church.")
