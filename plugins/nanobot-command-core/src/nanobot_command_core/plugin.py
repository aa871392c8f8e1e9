"""Registers the commands."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot.messages import Role
from nanobot.specs import CommandSpec

_COMMANDS = "nanobot_command_core.commands"


@hookimpl
def nanobot_commands() -> Iterable[CommandSpec]:
    """Return the commands that every instance has."""
    return (
        CommandSpec(
            name="help",
            factory=f"{_COMMANDS}:open_help",
            description="List what you can type.",
            usage="[command]",
            role=Role.GUEST,
            while_running=True,
        ),
        CommandSpec(
            name="new",
            factory=f"{_COMMANDS}:open_new",
            description="Start a new conversation; the old one stays in the transcript.",
        ),
        CommandSpec(
            name="status",
            factory=f"{_COMMANDS}:open_status",
            description="Show the model, the context in use and where things are.",
            while_running=True,
        ),
        CommandSpec(
            name="model",
            factory=f"{_COMMANDS}:open_model",
            description="Show the model presets, or use one in this session.",
            usage="[preset]",
        ),
        CommandSpec(
            name="history",
            factory=f"{_COMMANDS}:open_history",
            description="Show what was said last.",
            usage="[count]",
        ),
    )
