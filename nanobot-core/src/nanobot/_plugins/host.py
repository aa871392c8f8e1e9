"""The host: imports plugin modules, registers them and collects their specs, each behind a fence.

A plugin that fails at any of this is left out with a reason in words; the others go on.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

import pluggy

from nanobot import hookspecs
from nanobot._plugins.catalog import Entry
from nanobot._plugins.status import State, Status
from nanobot.engine import EngineSpec
from nanobot.errors import describe
from nanobot.routing import RouterSpec
from nanobot.specs import (
    CommandSpec,
    KindSpec,
    MiddlewareSpec,
    ObserverSpec,
    PromptSpec,
    ProviderSpec,
    Spec,
    ToolSpec,
)

_SPEC_TYPES: dict[str, type[Spec]] = {
    "engines": EngineSpec,
    "routers": RouterSpec,
    "providers": ProviderSpec,
    "tools": ToolSpec,
    "commands": CommandSpec,
    "prompts": PromptSpec,
    "middleware": MiddlewareSpec,
    "observers": ObserverSpec,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Plugin:
    """A spec together with the entry that it came from."""

    kind: str
    spec: Spec
    entry: Entry

    @property
    def id(self) -> str:
        """Return the plugin's id."""
        return f"{self.kind}.{self.spec.name}"


class Host:
    """Holds the registered plugins of one process.

    Args:
        statuses: What is installed and wanted; only usable plugins are ever imported.
    """

    def __init__(self, statuses: Iterable[Status]) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._statuses = {_key(status.entry): status for status in statuses}
        self._modules: dict[str, list[Entry]] = {}
        self._types = dict(_SPEC_TYPES)
        self.kinds: dict[str, KindSpec] = {}

    # --- what became of everybody ---------------------------------------------------------------

    def statuses(self) -> tuple[Status, ...]:
        """Return the current state of every installed plugin."""
        return tuple(self._statuses.values())

    def mark(self, entry: Entry, state: State, reason: str = "") -> None:
        """Change the state of a plugin."""
        self._statuses[_key(entry)] = Status(entry=entry, state=state, reason=reason)

    def _usable(self, kind: str, names: Iterable[str] | None) -> list[Entry]:
        wanted = None if names is None else set(names)
        return [
            status.entry
            for status in self._statuses.values()
            if status.entry.kind == kind
            and status.state.usable
            and (wanted is None or status.entry.name in wanted)
        ]

    # --- registering ----------------------------------------------------------------------------

    def load(self, kind: str, names: Iterable[str] | None = None) -> None:
        """Import and register the usable plugins of a kind.

        Args:
            names: Only these; None for all.
        """
        for entry in self._usable(kind, names):
            known = self._modules.get(entry.value)
            if known is not None:
                known.append(entry)
                self.mark(entry, State.LOADED)
                continue
            problem = self._register(entry)
            if problem:
                self.mark(entry, State.BROKEN, problem)
            else:
                self._modules[entry.value] = [entry]
                self.mark(entry, State.LOADED)

    def _register(self, entry: Entry) -> str:
        """Import and register one module; return what is wrong with it, empty if nothing."""
        try:
            module = import_module(entry.value)
        except (Exception, SystemExit) as error:
            return f"import failed: {describe(error)}"
        try:
            self._manager.register(module, name=entry.value)
        except Exception as error:
            with suppress(Exception):  # pluggy leaves half of it behind
                self._manager.unregister(module)
            return f"registration failed: {describe(error)}"
        unknown = self._unknown_hooks(module)
        if unknown:
            self._manager.unregister(module)
            return unknown
        return ""

    def _unknown_hooks(self, module: ModuleType) -> str:
        hooks = {hook.name for hook in self._manager.get_hookcallers(module) or () if hook.spec}
        for hook in self._manager.get_hookcallers(module) or ():
            if hook.spec is None:
                near = difflib.get_close_matches(hook.name, self._hook_names(), n=1)
                meant = f"; did you mean {near[0]}?" if near else ""
                return f"implements {hook.name}, which is no hook of this core{meant}"
        return "" if hooks else "implements no hook of this core"

    def _hook_names(self) -> list[str]:
        hooks = vars(self._manager.hook)
        return [name for name in hooks if name.startswith("nanobot_") and hooks[name].spec]

    # --- collecting -----------------------------------------------------------------------------

    def open_kinds(self) -> None:
        """Load the plugins that open extension points and learn those from them.

        Called before anything else is collected. The owners are the tool plugins, which a turn
        loads in any case.
        """
        for entry, spec in self._collect("nanobot_kinds"):
            if not isinstance(spec, KindSpec):
                self.mark(entry, State.BROKEN, f"nanobot_kinds returned a {_name_of(spec)}")
                continue
            if spec.name in self._types:
                self.mark(entry, State.BROKEN, f"opens kind {spec.name!r}, which exists already")
                continue
            try:
                self._manager.add_hookspecs(spec.hookspecs)
                getattr(self._manager.hook, f"nanobot_{spec.name}")
            except Exception as error:
                self.mark(entry, State.BROKEN, f"hookspecs of {spec.name}: {describe(error)}")
                continue
            self._types[spec.name] = spec.spec
            self.kinds[spec.name] = spec

    def collect(self, kind: str) -> list[Plugin]:
        """Return what the registered plugins offer of a kind, in the order of their names."""
        plugins: dict[str, Plugin] = {}
        expected = self._types.get(kind)
        if expected is None:  # a kind that answers questions and offers nothing
            return []
        for entry, spec in self._collect(f"nanobot_{kind}"):
            own = self._entry_of(entry, kind, getattr(spec, "name", ""))
            if not isinstance(spec, expected):
                problem = f"nanobot_{kind} returned a {_name_of(spec)}, not a {expected.__name__}"
            elif own is None:
                problem = f"offers {kind}.{spec.name}, but has no entry point of that name"
            elif spec.name in plugins:
                problem = f"offers {kind}.{spec.name} twice"
            else:
                plugins[spec.name] = Plugin(kind=kind, spec=spec, entry=own)
                continue
            self._blame(entry, kind, problem)
        for status in self.statuses():
            own = status.entry
            if own.kind == kind and status.state is State.LOADED and own.name not in plugins:
                self.mark(own, State.BROKEN, f"nanobot_{kind} offers no {kind}.{own.name}")
        return [plugins[name] for name in sorted(plugins) if self._stands(plugins[name])]

    def all(self, hook: str, **arguments: object) -> list[Any]:
        """Ask a question of all plugins and return everything that they answer."""
        return [answer for _, answer in self._collect(hook, **arguments)]

    def _collect(self, hook: str, **arguments: object) -> Iterator[tuple[Entry, Any]]:
        """Call a hook on each plugin in a fence of its own.

        pluggy's own call stops at the first plugin that raises, so the implementations are called
        one by one here.
        """
        for entry, call in self._implementations(hook, arguments):
            try:
                offered = list(_now(call()))
            except (Exception, SystemExit) as error:
                kind = hook.removeprefix("nanobot_")
                self._blame(entry, kind, f"{hook} raised {describe(error)}")
                continue
            for spec in offered:
                yield entry, spec

    def first(self, hook: str, **arguments: object) -> Any:
        """Ask the plugins a question; the first answer wins."""
        for entry, call in self._implementations(hook, arguments):
            try:
                answer = _now(call())
            except (Exception, SystemExit) as error:
                self.mark(entry, State.BROKEN, f"{hook} raised {describe(error)}")
                continue
            if answer is not None:
                return answer
        return None

    def _implementations(
        self, hook: str, arguments: Mapping[str, object] | None = None
    ) -> list[tuple[Entry, Callable[[], Any]]]:
        """Return the implementations of a hook, each with the arguments that it wants."""
        caller = getattr(self._manager.hook, hook, None)
        if caller is None:
            return []
        given = arguments or {}
        found = [
            (
                self._modules[impl.plugin_name][0],
                partial(impl.function, **{name: given[name] for name in impl.argnames}),
            )
            for impl in caller.get_hookimpls()
            if impl.plugin_name in self._modules
        ]
        return sorted(found, key=lambda pair: pair[0].id)

    # --- entries --------------------------------------------------------------------------------

    def _stands(self, plugin: Plugin) -> bool:
        """Tell whether a plugin may be used; it may be switched off though its module is loaded."""
        status = self._statuses.get(_key(plugin.entry))
        return status is None or status.state.usable

    def _blame(self, entry: Entry, kind: str, problem: str) -> None:
        """Mark what a module registered for a kind as broken."""
        known = self._modules.get(entry.value, ())
        for own in [other for other in known if other.kind == kind] or [entry]:
            self.mark(own, State.BROKEN, problem)

    def _entry_of(self, entry: Entry, kind: str, name: str) -> Entry | None:
        """Return the entry point under which a module registers a name of a kind."""
        wanted = (entry.value, kind, name)
        entries = (status.entry for status in self._statuses.values())
        return next((own for own in entries if (own.value, own.kind, own.name) == wanted), None)


def _key(entry: Entry) -> str:
    return f"{entry.id}@{entry.distribution}"


def _name_of(value: object) -> str:
    return type(value).__name__


def _now(answer: Any) -> Any:
    """Return a hook's answer; hooks collect, they never wait."""
    if inspect.iscoroutine(answer):
        answer.close()
        raise TypeError("it is async, and hooks are not")
    return answer
