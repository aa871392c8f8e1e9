"""The gateway's slash commands keep the contract of all commands."""

from __future__ import annotations

from nanobot_testing import CommandContract


class TestStop(CommandContract):
    plugin = "commands.stop"


class TestRestart(CommandContract):
    plugin = "commands.restart"


class TestPairing(CommandContract):
    plugin = "commands.pairing"
    arguments = ("", "list", "approve AAAA-BBBB", "nonsense")
