"""Named agents, and which of them answers in which chat."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nanobot.config import ConfigModel
from nanobot.errors import ConfigError
from nanobot.findings import Finding
from nanobot.messages import Target
from nanobot.profile import Profile
from nanobot_settings.environment import resolve
from nanobot_settings.keys import did_you_mean, error, kind_of, listed, lookup, nearest
from nanobot_settings.validation import validate
from pydantic import Field

from nanobot_gateway.access import name_of

PROFILES = ("agents", "profiles")
BINDINGS = ("bindings",)
_NO_PRESET = "names a preset that modelPresets does not define"
_NO_AGENT = "names an agent that agents.profiles does not define"


class AgentProfile(ConfigModel):
    """A named agent."""

    model_preset: str = Field(
        default="", description="Model preset that it uses; empty for the default model."
    )
    tools: tuple[str, ...] = Field(
        default=(), description="Tools that it may use, with `*` for any text; empty for all."
    )
    instructions: str = Field(default="", description="What its prompt says last.")
    workspace: str = Field(default="", description="Its folder; empty for the common workspace.")
    max_iterations: int | None = Field(
        default=None, ge=1, description="Model calls in a turn; null for the common number."
    )


class Match(ConfigModel):
    """Which chats a binding is for: all that is named must be so."""

    peer: str = Field(default="", description="Id of a chat, or of who writes directly.")
    guild: str = Field(default="", description="Id of the guild, server or group of chats.")
    team: str = Field(default="", description="Id of the team or workspace.")
    account: str = Field(default="", description="Account of the channel.")
    channel: str = Field(default="", description="Channel.")


LEVELS = ("peer", "guild", "team", "account", "channel")
"""From the most specific to the least."""


class Binding(ConfigModel):
    """A binding of chats to a named agent."""

    agent: str = Field(description="Name in `agents.profiles`.")
    match: Match = Field(default=Match(), description="Which chats; empty for all others.")

    @property
    def level(self) -> int:
        """Return how specific it is; lower is more."""
        named = (index for index, level in enumerate(LEVELS) if getattr(self.match, level))
        return next(named, len(LEVELS))

    def fits(self, target: Target, sender: str, places: Collection[str]) -> bool:
        """Tell whether a chat is meant.

        Args:
            sender: Who writes directly, empty in a group.
            places: Ids of what the chat lies in.
        """
        match = self.match
        return (
            match.peer in ("", target.chat, sender)
            and (not match.guild or match.guild in places)
            and (not match.team or match.team in places)
            and match.account in ("", target.account)
            and match.channel in ("", target.channel, name_of(target.channel, target.account))
        )


@dataclass(frozen=True, kw_only=True)
class Agents:
    """The named agents and their bindings, the most specific first."""

    profiles: Mapping[str, Profile]
    bindings: tuple[Binding, ...] = ()

    def chosen(
        self, target: Target, sender: str = "", places: Collection[str] = ()
    ) -> Profile | None:
        """Return the agent that answers in a chat, None for the usual one.

        Args:
            sender: Who writes directly, empty in a group.
            places: Ids of what the chat lies in.
        """
        fitting = (b.agent for b in self.bindings if b.fits(target, sender, places))
        return self.profiles.get(next(fitting, ""))


def read(document: Mapping[str, Any], environ: Mapping[str, str]) -> Agents | tuple[Finding, ...]:
    """Return the named agents of a configuration, or what is wrong with them."""
    wrong: list[Finding] = []
    presets = lookup(document, ("modelPresets",)) or {}
    profiles: dict[str, Profile] = {}
    found = _held(lookup(document, PROFILES), PROFILES, dict, wrong)
    for name, value in found.items():
        made = _made(AgentProfile, value, (*PROFILES, name), environ, wrong)
        if made is None:
            continue
        if made.model_preset and made.model_preset not in presets:
            near = did_you_mean(nearest(made.model_preset, presets))
            wrong.append(error((*PROFILES, name, "modelPreset"), _NO_PRESET, near))
        profiles[name] = Profile(
            name=name,
            preset=made.model_preset,
            tools=made.tools,
            instructions=made.instructions,
            workspace=Path(made.workspace).expanduser().absolute() if made.workspace else None,
            max_iterations=made.max_iterations,
        )
    bindings = []
    for index, value in enumerate(_held(lookup(document, BINDINGS), BINDINGS, list, wrong)):
        bound = _made(Binding, value, (*BINDINGS, index), environ, wrong)
        if bound is None:
            continue
        if bound.agent not in found:
            near = did_you_mean(nearest(bound.agent, found))
            wrong.append(error((*BINDINGS, index, "agent"), _NO_AGENT, near))
        bindings.append(bound)
    if wrong:
        return tuple(wrong)
    bindings.sort(key=lambda binding: binding.level)  # stable: the first of two alike stays first
    return Agents(profiles=profiles, bindings=tuple(bindings))


def agents_of(document: Mapping[str, Any], environ: Mapping[str, str], path: Path) -> Agents:
    """Return the named agents of a configuration.

    Raises:
        ConfigError: They are not valid; lists the reasons.
    """
    found = read(document, environ)
    if isinstance(found, tuple):
        raise ConfigError(f"{path}: {listed(found)}")
    return found


def _held(value: Any, path: tuple[str, ...], kind: Callable[[], Any], wrong: list[Finding]) -> Any:
    """Return a section of the kind that it must be; an empty one when it is not there."""
    if value is None or isinstance(value, kind):  # type: ignore[arg-type]
        return value or kind()
    should = "an object" if kind is dict else "a list"
    wrong.append(error(path, f"should be {should}, found {kind_of(value)}"))
    return kind()


def _made(
    model: type[Any],
    value: Any,
    path: tuple[str | int, ...],
    environ: Mapping[str, str],
    wrong: list[Finding],
) -> Any:
    resolved, readings, unset = resolve(value, environ, path=path)
    made = () if unset else validate(model, resolved, path=path, otherwise=readings)
    if isinstance(made, tuple):
        wrong += [*unset, *made]
        return None
    return made
