"""The contract of tool plugins, for self-knowledge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from nanobot_testing.desk import DeskToolContract, ScriptedDesk


class TestMy(DeskToolContract):
    plugin = "tools.my"
    config: ClassVar[Mapping[str, object]] = {"allowSet": True}
    examples: ClassVar[Mapping[str, Sequence[Mapping[str, object]]]] = {
        "my": [
            {"action": "check"},
            {"action": "check", "key": "model"},
            {"action": "set", "key": "plan", "value": ["one", {"two": 2}]},
            {"action": "check", "key": "scratchpad.plan"},
        ]
    }

    def desk(self, folder: Path) -> ScriptedDesk:
        desk = ScriptedDesk()
        desk.known = {"model": "m-1", "version": "0.1.0"}
        return desk
