"""Registers ``/undo``."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.messages import Role
from nanobot.specs import CommandSpec


@hookimpl
def nanobot_commands() -> tuple[CommandSpec, ...]:
    """Return the command."""
    return (
        CommandSpec(
            name="undo",
            factory="nanobot_command_undo.command:open_command",
            title="Undo",
            description="Take back what the last turn changed in files.",
            usage="[force]",
            role=Role.USER,
        ),
    )
