"""The contract of slash commands, for /undo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from nanobot_testing import CommandContract


class TestUndo(CommandContract):
    plugin = "commands.undo"
    arguments: ClassVar[Sequence[str]] = ("", "force", "help")
