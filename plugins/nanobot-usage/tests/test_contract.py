"""The ledger, the budgets and their commands keep the contracts."""

from typing import ClassVar

from nanobot_testing import CommandContract, MiddlewareContract


class TestUsage(MiddlewareContract):
    plugin = "middleware.usage"
    config: ClassVar = {"prices": {"my-*": {"input": 1, "output": 2}}, "keepMonths": 3}


class TestBudgets(MiddlewareContract):
    plugin = "middleware.budgets"
    config: ClassVar = {"limits": {"daily": {"tokens": 1000}}}


class TestUsageCommand(CommandContract):
    plugin = "commands.usage"
    arguments = ("", "day", "model", "segment", "nonsense")


class TestBudgetsCommand(CommandContract):
    plugin = "commands.budgets"
    config: ClassVar = {"limits": {"daily": {"tokens": 1000}}}
