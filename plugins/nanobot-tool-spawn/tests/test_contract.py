"""The contract of tool plugins, for subagents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from nanobot.profile import Profile
from nanobot_testing.desk import DeskToolContract, ScriptedDesk


class TestSpawn(DeskToolContract):
    plugin = "tools.spawn"
    config: ClassVar[Mapping[str, object]] = {"maxPerTurn": 100}
    examples: ClassVar[Mapping[str, Sequence[Mapping[str, object]]]] = {
        "spawn": [
            {"task": "Count the files."},
            {"task": "Read it all.", "label": "reading", "profile": "clerk", "wait": True},
        ]
    }

    def desk(self, folder: Path) -> ScriptedDesk:
        desk = ScriptedDesk()
        desk.kinds["clerk"] = Profile(name="clerk")
        return desk
