"""Registers the ledger, the budgets, their commands, and advice."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot.findings import AdviceRequest, Finding
from nanobot.specs import CommandSpec, MiddlewareSpec

from nanobot_usage.config import BudgetsConfig, UsageConfig

OUTERMOST = 10
"""A call that a budget refuses is refused before other middleware has worked for it."""
INNERMOST = 900
"""What is recorded is the request that the vendor gets, not one that middleware still changes."""


@hookimpl
def nanobot_middleware() -> Iterable[MiddlewareSpec]:
    """Return what records model calls, and what refuses them."""
    return (
        MiddlewareSpec(
            name="usage",
            factory="nanobot_usage.ledger:open_middleware",
            config=UsageConfig,
            title="Usage ledger",
            section="usage",
            order=INNERMOST,
        ),
        MiddlewareSpec(
            name="budgets",
            factory="nanobot_usage.budgets:open_middleware",
            config=BudgetsConfig,
            title="Budgets",
            section="budgets",
            order=OUTERMOST,
        ),
    )


@hookimpl
def nanobot_commands() -> Iterable[CommandSpec]:
    """Return the commands that show what was used, and what is left."""
    return (
        CommandSpec(
            name="usage",
            factory="nanobot_usage.commands:open_usage",
            config=UsageConfig,
            title="Usage",
            section="usage",
            description="Show the tokens and the money that model calls have cost.",
            usage="[day | session | user | origin | model | segment]",
            while_running=True,
        ),
        CommandSpec(
            name="budgets",
            factory="nanobot_usage.commands:open_budgets",
            config=BudgetsConfig,
            title="Budgets",
            section="budgets",
            description="Show the budgets that hold here, and how much of them is used.",
            while_running=True,
        ),
    )


@hookimpl
def nanobot_advice(request: AdviceRequest) -> Iterable[Finding]:
    """Say which budgets can not be held as they are written."""
    from nanobot_usage.advice import advise

    return advise(request.document)
