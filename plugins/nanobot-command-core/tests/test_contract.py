"""The commands keep the contract."""

from nanobot_testing import CommandContract


class TestHelp(CommandContract):
    plugin = "commands.help"
    arguments = ("", "help", "nosuch")


class TestHistory(CommandContract):
    plugin = "commands.history"
    arguments = ("", "3", "0", "many")


class TestModel(CommandContract):
    plugin = "commands.model"
    arguments = ("", "fast", "default")


class TestNew(CommandContract):
    plugin = "commands.new"


class TestStatus(CommandContract):
    plugin = "commands.status"
