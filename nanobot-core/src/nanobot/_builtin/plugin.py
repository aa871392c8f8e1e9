"""Registers the core's own parts."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot._builtin.route import choose
from nanobot.hookspecs import hookimpl
from nanobot.messages import Role
from nanobot.routing import Route, RouteRequest
from nanobot.specs import CommandSpec, PromptSpec

_COMMANDS = "nanobot._builtin.commands"
_PROMPTS = "nanobot._builtin.prompts"


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


@hookimpl
def nanobot_prompts() -> Iterable[PromptSpec]:
    """Return the prompt sections that every instance has."""
    return (
        PromptSpec(name="identity", factory=f"{_PROMPTS}:open_identity", order=0),
        PromptSpec(
            name="agents", factory=f"{_PROMPTS}:open_file", order=10, options={"file": "AGENTS.md"}
        ),
        PromptSpec(
            name="soul", factory=f"{_PROMPTS}:open_file", order=20, options={"file": "SOUL.md"}
        ),
        PromptSpec(
            name="user", factory=f"{_PROMPTS}:open_file", order=30, options={"file": "USER.md"}
        ),
        PromptSpec(
            name="memory",
            factory=f"{_PROMPTS}:open_file",
            order=40,
            options={"file": "memory/MEMORY.md"},
        ),
        PromptSpec(name="time", factory=f"{_PROMPTS}:open_time", order=0, placement="turn"),
    )


@hookimpl
def nanobot_route_model(request: RouteRequest) -> Route | None:
    """Choose a provider by prefix, keyword, and what is set up."""
    return choose(request)
