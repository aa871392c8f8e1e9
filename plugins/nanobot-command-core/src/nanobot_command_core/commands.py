"""What the commands do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nanobot.command import Command, CommandRequest
from nanobot.config import PluginConfig
from nanobot.context import PluginContext

_SHOWN = 200
_MOST = 50


class Help:
    """Lists the commands."""

    async def run(self, request: CommandRequest) -> str:
        lines = []
        for spec in request.host.commands():
            shown = f"/{spec.name.replace('_', '-')}"
            if request.arguments and request.arguments.lstrip("/") != shown[1:]:
                continue
            usage = f" {spec.usage}" if spec.usage else ""
            lines.append(f"- `{shown}{usage}` {spec.description}")
        return "\n".join(lines) or f"There is no command {request.arguments[:40]!r}. Try /help."


class New:
    """Starts a new conversation."""

    async def run(self, request: CommandRequest) -> str:
        request.session.reset()
        return "New session started."


class Status:
    """Shows the facts."""

    async def run(self, request: CommandRequest) -> str:
        facts = request.host.facts(request.session.key)
        return "\n".join(f"- {name}: {value}" for name, value in facts.items())


class Model:
    """Shows or chooses the session's model preset."""

    async def run(self, request: CommandRequest) -> str:
        name = request.arguments
        if name:
            request.session.choose_preset("" if name == "default" else name)
            return f"This session now uses the preset {name!r}."
        chosen = request.session.preset() or "default"
        presets = request.host.presets()
        lines = [f"This session uses the preset {chosen!r}."]
        lines += [f"- `/model {preset}` {model}" for preset, model in sorted(presets.items())]
        if presets and chosen != "default":
            lines.append("- `/model default` back to the default")
        if not presets:
            lines.append("No presets are configured (`modelPresets` in the configuration).")
        return "\n".join(lines)


class History:
    """Shows the last messages."""

    async def run(self, request: CommandRequest) -> str:
        text = request.arguments or "10"
        if not (text.isascii() and text.isdigit()) or not 0 < int(text[:9]) <= _MOST:
            return f"Give a number from 1 to {_MOST}, as in /history 10."
        entries = request.session.history(int(text))
        if not entries:
            return "Nothing was said yet."
        return "\n".join(
            f"- **{entry.role}**: {' '.join(entry.text.split())[:_SHOWN]}" for entry in entries
        )


@asynccontextmanager
async def open_help(config: PluginConfig, context: PluginContext) -> AsyncIterator[Command]:
    """Open /help."""
    yield Help()


@asynccontextmanager
async def open_new(config: PluginConfig, context: PluginContext) -> AsyncIterator[Command]:
    """Open /new."""
    yield New()


@asynccontextmanager
async def open_status(config: PluginConfig, context: PluginContext) -> AsyncIterator[Command]:
    """Open /status."""
    yield Status()


@asynccontextmanager
async def open_model(config: PluginConfig, context: PluginContext) -> AsyncIterator[Command]:
    """Open /model."""
    yield Model()


@asynccontextmanager
async def open_history(config: PluginConfig, context: PluginContext) -> AsyncIterator[Command]:
    """Open /history."""
    yield History()
