"""The state of every installed plugin, decided without importing any."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from nanobot_documents import strict_json

from nanobot import _names
from nanobot._plugins.catalog import Catalog, Entry, incompatibility
from nanobot.paths import write_private


class State(StrEnum):
    """What became of a plugin."""

    AVAILABLE = "available"
    LOADED = "loaded"
    DISABLED = "disabled"
    INCOMPATIBLE = "incompatible"
    CONFLICT = "conflict"
    MISCONFIGURED = "misconfigured"
    BROKEN = "broken"
    FAILED = "failed"

    @property
    def usable(self) -> bool:
        """Tell whether the host may try to use the plugin."""
        return self in (State.AVAILABLE, State.LOADED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """A plugin and what became of it, with the reason in words."""

    entry: Entry
    state: State
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """Which plugins the user wants.

    Args:
        disabled: Ids that are switched off.
        allow: The only ids allowed, None for all.
        allowed_by: What set `allow`, for the reason shown.
        prefer: For an id that two distributions provide, the one to take.
        off: Ids whose own section says ``enabled: false``.
    """

    disabled: frozenset[str] = frozenset()
    allow: frozenset[str] | None = None
    allowed_by: str = ""
    prefer: Mapping[str, str] = field(default_factory=dict)
    off: frozenset[str] = frozenset()


def policy(document: Mapping[str, object], environ: Mapping[str, str]) -> Policy:
    """Read the user's wishes from the raw configuration document and the environment.

    Values of a wrong type are passed over here; validating the configuration reports them.
    """
    section = document.get("plugins")
    section = section if isinstance(section, Mapping) else {}
    allow = _ids(section.get("allow")) if section.get("mode") == "allowlist" else None
    allowed_by = "plugins.allow" if allow is not None else ""
    forced = environ.get("NANOBOT_PLUGINS", "").strip()
    if forced:
        allow = frozenset() if forced == "none" else _ids(forced.split(","))
        allowed_by = "NANOBOT_PLUGINS"
    prefer = section.get("prefer")
    return Policy(
        disabled=_ids(section.get("disabled")),
        allow=allow,
        allowed_by=allowed_by,
        prefer={
            _normal(str(key)): str(value)
            for key, value in (prefer.items() if isinstance(prefer, Mapping) else ())
        },
        off=_switched_off(document),
    )


def _normal(plugin: str) -> str:
    kind, _, name = plugin.strip().partition(".")
    return f"{kind}.{_names.snake(name)}"


def _ids(value: object) -> frozenset[str]:
    if not isinstance(value, list | tuple):
        return frozenset()
    return frozenset(_normal(item) for item in value if isinstance(item, str))


def _switched_off(document: Mapping[str, object]) -> frozenset[str]:
    off = set()
    for kind, sections in document.items():
        if not isinstance(sections, Mapping):
            continue
        for name, section in sections.items():
            if isinstance(section, Mapping) and (
                section.get("enabled") is False or section.get("enable") is False
            ):
                off.add(f"{kind}.{_names.snake(str(name))}")
    return frozenset(off)


def judge(catalog: Catalog, wanted: Policy, verdicts: Verdicts | None = None) -> tuple[Status, ...]:
    """Decide the state of every plugin from metadata and the user's wishes.

    Args:
        verdicts: What earlier runs found out, for showing; a host that loads tries again instead.
    """
    rivals: dict[str, list[Entry]] = {}
    for entry in catalog.plugins:
        rivals.setdefault(entry.id, []).append(entry)
    return tuple(_judge_one(entry, rivals[entry.id], wanted, verdicts) for entry in catalog.plugins)


def _judge_one(
    entry: Entry, rivals: list[Entry], wanted: Policy, verdicts: Verdicts | None
) -> Status:
    def status(state: State, reason: str = "") -> Status:
        return Status(entry=entry, state=state, reason=reason)

    allowed = wanted.allow is None or entry.id in wanted.allow
    if not allowed and entry.distribution not in _names.STANDARD_PARTS:
        return status(State.DISABLED, f"not listed in {wanted.allowed_by}")
    if entry.id in wanted.disabled:
        return status(State.DISABLED, "listed in plugins.disabled")
    if entry.id in wanted.off:
        return status(State.DISABLED, f"{entry.kind}.{_names.camel(entry.name)}.enabled is false")
    misfit = incompatibility(entry)
    if misfit:
        return status(State.INCOMPATIBLE, misfit)
    if len(rivals) > 1:
        preferred = wanted.prefer.get(entry.id)
        if preferred not in {rival.distribution for rival in rivals}:
            names = " and ".join(rival.distribution for rival in rivals)
            return status(
                State.CONFLICT,
                f"{names} both provide {entry.id}; uninstall one, or name the one to use: "
                f'nanobot config set plugins.prefer \'{{"{entry.id}": "{entry.distribution}"}}\'',
            )
        if preferred != entry.distribution:
            return status(State.DISABLED, f"plugins.prefer takes it from {preferred}")
    earlier = verdicts.get(entry) if verdicts else None
    return earlier or status(State.AVAILABLE)


class Verdicts:
    """What earlier runs found out about plugins, kept until their version changes.

    Args:
        path: The file; an unreadable one counts as empty, for everything in it can be found out
            again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = False
        try:
            known = strict_json.loads(path.read_bytes())
        except (OSError, ValueError):
            known = {}
        self._known: dict[str, dict[str, str]] = known if isinstance(known, dict) else {}

    def get(self, entry: Entry) -> Status | None:
        """Return the verdict on this version of a plugin, None when there is none."""
        known = self._known.get(f"{entry.id}@{entry.distribution}")
        if not isinstance(known, dict) or known.get("version") != entry.version:
            return None
        try:
            state = State(known.get("state", ""))
        except ValueError:
            return None
        return Status(entry=entry, state=state, reason=str(known.get("reason", "")))

    def put(self, status: Status) -> None:
        """Keep a verdict; a usable plugin needs none."""
        key = f"{status.entry.id}@{status.entry.distribution}"
        if status.state.usable:
            self._changed |= self._known.pop(key, None) is not None
            return
        verdict = {
            "version": status.entry.version,
            "state": str(status.state),
            "reason": status.reason,
        }
        if self._known.get(key) != verdict:
            self._known[key] = verdict
            self._changed = True

    def save(self) -> None:
        """Write the verdicts if they changed; failing to is no reason to stop."""
        if not self._changed:
            return
        try:
            write_private(self._path, json.dumps(self._known, indent=1).encode())
        except OSError:
            return
        self._changed = False
