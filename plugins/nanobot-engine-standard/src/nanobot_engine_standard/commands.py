"""Slash commands: recognised, checked against the speaker's role, run, never sent to a model."""

from __future__ import annotations

import asyncio
import difflib
import re
from collections.abc import Mapping, Sequence

from nanobot import log
from nanobot.command import CommandRequest, HistoryEntry
from nanobot.engine import EngineSettings, Plugins
from nanobot.errors import ConfigError, NanobotError
from nanobot.messages import Turn
from nanobot.specs import CommandSpec

from nanobot_engine_standard.session import Session

_COMMAND = re.compile(r"/([A-Za-z][\w-]*)(?:@\S+)?(?:\s+(.*))?", re.DOTALL)


def parse(text: str) -> tuple[str, str] | None:
    """Return a command's name and arguments; None for a message that is no command.

    A path such as ``/etc/hosts`` is no command.
    """
    found = _COMMAND.fullmatch(text.strip())
    return (found[1].lower().replace("-", "_"), (found[2] or "").strip()) if found else None


class Control:
    """The session as a command may use it."""

    def __init__(self, session: Session, presets: Mapping[str, str]) -> None:
        self._session = session
        self._presets = presets

    @property
    def key(self) -> str:
        return self._session.key

    def reset(self) -> None:
        self._session.reset()

    def history(self, count: int) -> Sequence[HistoryEntry]:
        return self._session.entries(count) if count > 0 else []

    def preset(self) -> str:
        return self._session.history.preset

    def choose_preset(self, name: str) -> None:
        if name and name not in self._presets:
            near = difflib.get_close_matches(name, self._presets, n=1)
            meant = f" Did you mean {near[0]}?" if near else ""
            known = ", ".join(sorted(self._presets)) or "none are configured"
            raise ConfigError(
                f"There is no model preset {name!r}.{meant}", remedy=f"Presets: {known}."
            )
        self._session.choose_preset(name)


class Info:
    """The host as a command may know it."""

    def __init__(self, registry: Plugins, settings: EngineSettings, session: Session) -> None:
        self._registry = registry
        self._settings = settings
        self._session = session

    def commands(self) -> Sequence[CommandSpec]:
        return specs(self._registry)

    def presets(self) -> Mapping[str, str]:
        return preset_names(self._settings)

    def facts(self, session_key: str) -> Mapping[str, str]:
        history = self._session.history
        choices = self._settings.presets.get(history.preset) or self._settings.presets[""]
        facts = {key: str(value) for key, value in self._settings.facts.items()}
        if choices:
            first = choices[0]
            facts["model"] = f"{first.provider}/{first.model} ({first.reason})"
            used, room = history.last_usage.context, first.budget
            facts["context"] = f"{used} of {room} tokens ({100 * used // max(room, 1)} %)"
        billed = history.usage.billed
        facts["tokens"] = f"{billed.input} in ({billed.cached} cached), {billed.output} out"
        facts["session"] = f"{session_key}, {history.count} turns"
        return facts


def preset_names(settings: EngineSettings) -> Mapping[str, str]:
    """Return the presets a user may choose and the model that each asks first."""
    return {name: made[0].model for name, made in settings.presets.items() if name and made}


def specs(registry: Plugins) -> Sequence[CommandSpec]:
    """Return all commands, in alphabetical order."""
    return registry.usable("commands")


def answers_at_once(name: str, registry: Plugins) -> bool:
    """Tell whether a command answers while a turn runs in its session."""
    return any(spec.name == name and spec.while_running for spec in specs(registry))


async def run(
    name: str,
    arguments: str,
    turn: Turn,
    session: Session,
    registry: Plugins,
    settings: EngineSettings,
) -> str:
    """Run a command and return its reply; every failure is a reply too."""
    known = {spec.name: spec for spec in specs(registry)}
    spec = known.get(name)
    if spec is None:
        return _unknown(name, known)
    if not turn.scope.principal.role.allows(spec.role):
        return (
            f"/{_shown(name)} needs the role “{spec.role}”; yours is “{turn.scope.principal.role}”."
        )
    if arguments and not spec.usage:
        return f"/{_shown(name)} takes no arguments."
    try:
        command = await registry.open("commands", name)
        request = CommandRequest(
            name=_shown(name),
            arguments=arguments,
            turn=turn,
            session=Control(session, preset_names(settings)),
            host=Info(registry, settings, session),
        )
        async with asyncio.timeout(settings.limits.turn_timeout_s):
            reply = await command.run(request)
        if session.touched:
            await session.commit()
        if not isinstance(reply, str):
            raise TypeError(f"it returned a {type(reply).__name__}, not a text")
        return reply
    except NanobotError as error:
        return str(error)
    except (Exception, SystemExit) as error:
        log.get(command=name).error("command_crashed", exc_info=True)
        return log.redact(f"/{_shown(name)} failed: {type(error).__name__}: {error}")


def _unknown(name: str, known: Mapping[str, CommandSpec]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    meant = f" Did you mean /{_shown(near[0])}?" if near else ""
    return f"There is no command /{_shown(name)}.{meant} /help lists all commands."


def _shown(name: str) -> str:
    return name.replace("_", "-")
