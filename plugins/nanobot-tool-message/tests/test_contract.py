"""The contract of tool plugins, for messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from nanobot_testing.desk import DeskToolContract


class TestMessage(DeskToolContract):
    plugin = "tools.message"
    config: ClassVar[Mapping[str, object]] = {"maxFiles": 2, "maxFileMegabytes": 1}
    examples: ClassVar[Mapping[str, Sequence[Mapping[str, object]]]] = {
        "message": [
            {"content": "Hello."},
            {"content": "", "media": ["report.txt"]},
            {"content": "Psst.", "channel": "telegram", "chat_id": "7", "buttons": [["Yes", "No"]]},
        ]
    }

    def prepare(self, folder: Path) -> None:
        (folder / "report.txt").write_text("all is well\n")
