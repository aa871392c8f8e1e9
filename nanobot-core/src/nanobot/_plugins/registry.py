"""Opens plugin objects on first use and closes them in the reverse order.

Each object is held by a task of its own, so that it is closed in the task that opened it (which
structured-concurrency libraries demand), and so that a factory that hangs or fails harms nobody
else.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from nanobot import _names, log
from nanobot._plugins.host import Host, Plugin
from nanobot._plugins.status import State
from nanobot.config import PluginConfig
from nanobot.context import PUBLIC_ONLY, Clock, Extension, Network, PluginContext
from nanobot.desk import Desk, NoDesk
from nanobot.errors import ConfigError, NanobotError, PluginError, PluginMissing, describe
from nanobot.paths import Instance
from nanobot.specs import Spec

OPEN_DEADLINE_S = 30.0
CLOSE_DEADLINE_S = 10.0
RETRY_S = 60.0  # a factory that failed is not tried again before, lest each turn waits for it
Sections = Callable[[Spec, str], PluginConfig]


class Registry:
    """The specs of one instance and the objects that were opened from them.

    Args:
        host: Where the specs come from, and where failures are noted.
        sections: Returns the validated configuration section of a spec of a kind.
        instance: Where plugins keep their data.
        network: What plugins may reach on behalf of a model.
        desk: What the host does for tools.
        deadline_s: Seconds within which a factory must open its object.
    """

    def __init__(
        self,
        host: Host,
        sections: Sections,
        instance: Instance,
        clock: Clock,
        *,
        network: Network = PUBLIC_ONLY,
        desk: Desk | None = None,
        deadline_s: float = OPEN_DEADLINE_S,
    ) -> None:
        self._host = host
        self._sections = sections
        self._instance = instance
        self._clock = clock
        self._network = network
        self._desk = desk or NoDesk()
        self._deadline_s = deadline_s
        self._plugins: dict[str, dict[str, Plugin]] = {}
        self._usable: dict[str, list[Plugin]] = {}
        self._held: dict[str, _Held] = {}
        self._opening: dict[str, asyncio.Lock] = {}
        self._failures: dict[str, tuple[float, str]] = {}

    def plugins(self, kind: str) -> Mapping[str, Plugin]:
        """Return the plugins of a kind by name; collected on first use."""
        if kind not in self._plugins:
            self._plugins[kind] = {p.spec.name: p for p in self._host.collect(kind)}
        return self._plugins[kind]

    def forget(self, kind: str) -> None:
        """Collect a kind anew when it is next asked for, since more of its plugins were loaded."""
        self._plugins.pop(kind, None)
        self._usable.pop(kind, None)

    def usable(self, kind: str) -> Sequence[Plugin]:
        """Return the plugins of a kind that are switched on and whose section is valid."""
        if kind not in self._usable:
            self._usable[kind] = [p for p in self.plugins(kind).values() if self.section(p)]
        return self._usable[kind]

    def section(self, plugin: Plugin) -> PluginConfig | None:
        """Return a plugin's configuration; None, and the plugin parked, when it is not valid."""
        try:
            section = self._sections(plugin.spec, plugin.kind)
        except ConfigError as error:
            self._host.mark(plugin.entry, State.MISCONFIGURED, error.message)
            return None
        return section if section.enabled else None

    async def open(self, kind: str, name: str) -> Any:
        """Return the object of a plugin, opened on first use.

        Raises:
            PluginMissing: No installed plugin has this id.
            ConfigError: Its section is not valid.
            PluginError: It could not be opened.
        """
        held = self._held.get(f"{kind}.{name}")
        if held is not None:
            return held.value
        plugin = self.plugins(kind).get(name)
        if plugin is None:
            raise PluginMissing(
                f"no usable plugin provides {kind}.{name}",
                plugin=f"{kind}.{name}",
                remedy=f"{_names.install_hint(kind, name)}   (nanobot plugins list shows what is)",
            )
        return await self.open_plugin(plugin, self._sections(plugin.spec, kind))

    async def open_plugin(
        self,
        plugin: Plugin,
        config: PluginConfig,
        *,
        alias: str = "",
        extend: Callable[[PluginContext], PluginContext] = lambda context: context,
    ) -> Any:
        """Open a plugin with a given configuration.

        Args:
            alias: A name of its own, for one plugin that serves several sections.
            extend: Adds to the context what only plugins of this kind get.
        """
        key = f"{plugin.kind}.{alias or plugin.spec.name}"
        async with self._opening.setdefault(key, asyncio.Lock()):
            held = self._held.get(key)
            if held is None:
                until, reason = self._failures.pop(key, (0.0, ""))
                if self._clock.monotonic() < until:
                    self._failures[key] = (until, reason)
                    raise _unopened(plugin, key, reason)
                held = _Held(self.enter(plugin, config, key, extend))
                try:
                    await held.open(self._deadline_s)
                except NanobotError:
                    raise
                except _TooSlow:
                    reason = f"its factory did not open within {self._deadline_s:g} s"
                    raise self._failed(plugin, key, reason) from None
                except (Exception, SystemExit) as error:
                    raise self._failed(plugin, key, describe(error)) from error
                self._held[key] = held
                self._host.mark(plugin.entry, State.LOADED)
            return held.value

    def _failed(self, plugin: Plugin, key: str, reason: str) -> PluginError:
        reason = log.redact(reason)
        self._host.mark(plugin.entry, State.FAILED, reason)
        self._failures[key] = (self._clock.monotonic() + RETRY_S, reason)
        return _unopened(plugin, key, reason)

    @asynccontextmanager
    async def enter(
        self,
        plugin: Plugin,
        config: PluginConfig,
        key: str,
        extend: Callable[[PluginContext], PluginContext],
    ) -> AsyncIterator[Any]:
        """Open a plugin in the caller's own task, which closes it; nothing is kept or shared."""
        context = PluginContext(
            id=key,
            log=log.get(plugin=key),
            data=self._instance.plugin_data(key),
            options=plugin.spec.options,
            clock=self._clock,
            network=self._network,
            desk=self._desk,
            extensions=self._extensions,
        )
        factory = await _import_factory(plugin.spec.factory)
        async with factory(config, extend(context)) as opened:
            yield opened

    def _extensions(self, kind: str) -> Mapping[str, Extension]:
        if kind not in self._host.kinds:
            return {}
        self._host.load(kind)

        def extension(plugin: Plugin) -> Extension:
            @asynccontextmanager
            async def enter() -> AsyncIterator[Any]:
                yield await self.open(kind, plugin.spec.name)

            return Extension(spec=plugin.spec, open=enter)

        return {plugin.spec.name: extension(plugin) for plugin in self.usable(kind)}

    async def aclose(self) -> None:
        """Close everything that was opened, last opened first."""
        for key, held in reversed(list(self._held.items())):
            problem = await held.close(CLOSE_DEADLINE_S)
            if problem:
                log.get(plugin=key).warning("plugin_close_failed", reason=problem)
        self._held.clear()


class _TooSlow(Exception):
    """Report a factory that did not open its object in time."""


def _unopened(plugin: Plugin, key: str, reason: str) -> PluginError:
    return PluginError(
        f"plugin {key} ({plugin.entry.distribution}) could not be opened: {reason}",
        plugin=key,
        remedy=f"nanobot plugins check {plugin.id}   tells more",
    )


class _Held:
    """An async context manager that is entered and left in one task of its own."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._leave = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.value: Any = None

    async def open(self, deadline_s: float) -> None:
        opened: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._hold(opened))
        try:
            await asyncio.wait([opened], timeout=deadline_s)
            if not opened.done():
                raise _TooSlow
            self.value = opened.result()
        except BaseException:
            self._task.cancel()
            raise

    async def _hold(self, opened: asyncio.Future[Any]) -> None:
        try:
            async with self._manager as value:
                opened.set_result(value)
                await self._leave.wait()
        except BaseException as error:
            told = error if isinstance(error, Exception) else RuntimeError(describe(error))
            if not opened.done():
                opened.set_exception(told)
                opened.exception()  # marks it as seen: nobody may be waiting any more
            elif isinstance(error, asyncio.CancelledError):
                raise
            else:
                raise told from error  # SystemExit in a task would end the whole process

    async def close(self, deadline_s: float) -> str:
        """Leave the context; return what went wrong, empty if nothing."""
        assert self._task
        self._leave.set()
        done, _ = await asyncio.wait([self._task], timeout=deadline_s)
        if not done:
            self._task.cancel()
            return f"did not close within {deadline_s:g} s"
        if self._task.cancelled():
            return "was cancelled"
        error = self._task.exception()
        return describe(error) if error else ""


async def _import_factory(path: str) -> Any:
    """Import a factory in a thread, so that a slow SDK import does not stop the other sessions.

    The thread is a daemon: an import that never ends must not keep the process from ending.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def work() -> None:
        try:
            module, _, name = path.partition(":")
            result, error = getattr(import_module(module), name), None
        except BaseException as caught:
            result, error = None, caught
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, error)

    def settle(result: Any, error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)
        else:
            words = isinstance(error, SystemExit | StopIteration)
            done.set_exception(RuntimeError(describe(error)) if words else error)

    threading.Thread(target=work, name=f"import {path}", daemon=True).start()
    return await done
