"""What plugins offer, for commands that show or check it; nothing is opened."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from nanobot import hookspecs
from nanobot.admin import Host, Plugin, Policy, State, Status, judge, policy, scan
from nanobot.specs import Spec

DEADLINE_S = 10.0
"""Seconds that the import of a plugin's module may take."""


OWNERS = ("kinds", "tools")
"""Kinds whose plugins may open further kinds."""
_ANSWERS = ("kinds", "routes")  # kinds whose plugins answer questions and offer nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """The plugins that could be registered, by kind, and what became of all."""

    host: Host
    plugins: Mapping[str, tuple[Plugin, ...]]

    @property
    def statuses(self) -> tuple[Status, ...]:
        """Return the current state of every installed plugin."""
        return self.host.statuses()

    @property
    def specs(self) -> dict[str, tuple[Spec, ...]]:
        """Return the specs by kind."""
        return {kind: tuple(p.spec for p in found) for kind, found in self.plugins.items()}

    @property
    def names(self) -> dict[str, set[str]]:
        """Return the names of all installed plugins by kind, registered or not."""
        names: dict[str, set[str]] = {}
        for status in self.statuses:
            names.setdefault(status.entry.kind, set()).add(status.entry.name)
        return names


def load_plugins(statuses: Iterable[Status]) -> Loaded:
    """Import and register the usable plugins among those given, each within `DEADLINE_S`."""
    statuses = [status for status in statuses if status.entry.kind != "cli"]
    host = Host(statuses)
    kinds = dict.fromkeys(["commands", "prompts", *(status.entry.kind for status in statuses)])
    own = [kind for kind in kinds if not needs_owner(kind)]
    for kind in own:
        _load(host, kind, statuses)
    with _patience(DEADLINE_S):
        host.open_kinds()
    for kind in kinds:
        if kind in host.kinds:
            _load(host, kind, statuses)
        elif kind not in own:
            _refuse(host, kind)
    with _patience(DEADLINE_S):
        plugins = {kind: tuple(host.collect(kind)) for kind in (*own, *host.kinds)}
    return Loaded(host=host, plugins=plugins)


def needs_owner(kind: str) -> bool:
    """Tell whether plugins of a kind plug into another plugin, a tool, and not into the core."""
    return kind not in _ANSWERS and not hasattr(hookspecs, f"nanobot_{kind}")


def describable(document: Mapping[str, object], environ: Mapping[str, str]) -> tuple[Status, ...]:
    """Return the installed plugins with those that are switched off taken for usable.

    Their settings can be shown and edited too. What ``NANOBOT_PLUGINS`` keeps out stays out.
    """
    wanted = policy(document, environ)
    forced = wanted.allowed_by == "NANOBOT_PLUGINS"
    return judge(
        scan(),
        Policy(
            allow=wanted.allow if forced else None,
            allowed_by=wanted.allowed_by,
            prefer=wanted.prefer,
        ),
    )


def _load(host: Host, kind: str, statuses: Iterable[Status]) -> None:
    for name in sorted({s.entry.name for s in statuses if s.entry.kind == kind}):
        with _patience(DEADLINE_S):
            host.load(kind, [name])


def _refuse(host: Host, kind: str) -> None:
    for status in host.statuses():
        if status.entry.kind == kind and status.state.usable:
            reason = f"nothing that is installed uses plugins of kind {kind!r}"
            host.mark(status.entry, State.INCOMPATIBLE, reason)


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """Interrupt code of plugins that does not come to an end; the host's fences note the reason."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"did not come to an end within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
