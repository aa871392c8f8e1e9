"""The records that hooks return: what a plugin offers, as data, with nothing imported or opened.

Specs grow only by fields with defaults. ``factory`` is an import string,
``package.module:function``, imported on first use. Every factory has one shape::

    @asynccontextmanager
    async def open_<kind>(config, context): yield <object>

where ``config`` is an instance of the spec's ``config`` model and ``context`` a `PluginContext`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Literal

from nanobot.config import PluginConfig, ProviderConfig
from nanobot.messages import Effects, Role


@dataclass(frozen=True, kw_only=True, slots=True)
class Spec:
    """What all specs have.

    Args:
        name: Equals the entry point's name.
        factory: Import string of the function that opens the object.
        config: Model of the plugin's configuration section.
        title: What people call it.
        section: Configuration path when it is not ``<kind>.<name>``.
        options: Data for the factory, read there as ``context.options``. Lets one factory serve
            many plugins that differ only in data.
    """

    name: str
    factory: str
    config: type[PluginConfig] = PluginConfig
    title: str = ""
    section: str = ""
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderSpec(Spec):
    """A model vendor; its factory opens a `nanobot.provider.Provider`.

    Args:
        env_keys: Environment variables that hold its key, first one wins.
        default_model: Model to use when only this provider is configured.
        keywords: Whole tokens of a model id that point to this vendor (``deepseek``, ``claude``).
        needs_key: False for servers that take any key or none.
        probe_url: Address where a local server of this kind listens by default, such as
            ``http://127.0.0.1:11434/v1``; empty for vendors on the network.
        adopts: True when it can serve configuration sections that no plugin claims
            (any name under ``providers`` with an ``apiBase``).
        last_resort: True for the provider that answers when nothing else is configured.
        gateway: True when it passes models of many vendors on, by their full ids.
        key_prefixes: How all its keys begin, where that tells it from others: ``sk-or-``.
        base_hosts: Hosts of its API, with a path where several share one: ``openrouter.ai``,
            ``opencode.ai/zen/go``. Subdomains count.
    """

    config: type[PluginConfig] = ProviderConfig
    env_keys: tuple[str, ...] = ()
    default_model: str = ""
    keywords: tuple[str, ...] = ()
    needs_key: bool = True
    probe_url: str = ""
    adopts: bool = False
    last_resort: bool = False
    gateway: bool = False
    key_prefixes: tuple[str, ...] = ()
    base_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolDefinition:
    """One tool, as a model sees it and as the host runs it.

    Args:
        name: What the model calls; unique over all plugins.
        description: When and how to use it, for the model.
        parameters: JSON Schema of the arguments, an object with ``properties``.
        effects: What it does to the world.
        deadline_s: Seconds after which a call is cancelled and becomes an error result.
        role: Who may cause it to be called.
        spill: False for tools whose long results must not be moved to a file.
        concurrent: True when calls of one answer may overlap though they change something, since
            each stands for itself; calls that only read may always.
    """

    name: str
    description: str
    parameters: Mapping[str, object]
    effects: Effects = Effects()
    deadline_s: float = 120.0
    role: Role = Role.GUEST
    spill: bool = True
    concurrent: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolSpec(Spec):
    """One or several tools with one configuration; its factory opens a `nanobot.tool.Tool`.

    Args:
        tools: What it offers; known without importing the runtime.
    """

    tools: tuple[ToolDefinition, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandSpec(Spec):
    """A slash command; its factory opens a `nanobot.command.Command`.

    Args:
        description: One line for ``/help``.
        usage: Arguments as shown in help, such as ``[preset]``; empty when it takes none.
        role: Who may run it.
        while_running: True when it answers while a turn runs in the session.
    """

    description: str = ""
    usage: str = ""
    role: Role = Role.USER
    while_running: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptSpec(Spec):
    """A piece of the prompt; its factory opens a `nanobot.prompt.Prompt`.

    Args:
        order: Position; lower comes first. The core uses 0 to 90 in steps of ten.
        placement: ``system`` for text that stays the same between turns, ``turn`` for volatile
            facts, which go to the end of the user's message.
    """

    order: int = 100
    placement: Literal["system", "turn"] = "system"


@dataclass(frozen=True, kw_only=True, slots=True)
class MiddlewareSpec(Spec):
    """Code around model calls, tool calls and turns; its factory opens a `Middleware`.

    Args:
        order: Lower is further out.
    """

    order: int = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class ObserverSpec(Spec):
    """A listener; its factory opens a `nanobot.middleware.Observer`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KindSpec:
    """An extension point that a plugin opens for others.

    Args:
        name: Plural or mass noun, such as ``search``; the entry-point group is
            ``nanobot.v1.<name>``.
        hookspecs: Class or module that carries the hookspec-marked function ``nanobot_<name>``.
        spec: The class of the records that the hook returns.
        title: What people call it.
    """

    name: str
    hookspecs: type | ModuleType
    spec: type[Spec]
    title: str = ""
