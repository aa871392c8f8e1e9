"""Validate the core's own settings, and judge the keys that are not among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nanobot._config.environment import resolve, unset_findings
from nanobot._config.findings import Finding, did_you_mean, error, warning
from nanobot._config.keys import Path, Unknown, canonical, kind_of, nearest, own_keys, show
from nanobot._config.known import ELSEWHERE, KINDS, NAMES
from nanobot._config.migrate import MOVES
from nanobot._config.schema import Root
from nanobot._config.validate import validate
from nanobot._names import camel, snake

_GUARDS = ("restrictToWorkspace", "ssrfWhitelist", "workspaceTools")
"""Settings that protect; one that is misspelt or misplaced must not pass unnoticed."""
_GUARDED = ("api", "plugins", "tools")
"""Sections that hold such settings."""
_HOLDERS: tuple[Path, ...] = ((), ("channels",), ("tools",))
"""Where sections of plugins stand."""
_STRICT = ("api", "channels", "plugins", "tools")
"""Sections in which an unknown key is an error."""


def validate_core(
    data: dict[str, Any], environ: Mapping[str, str], texts: Mapping[Path, Any]
) -> tuple[Root | None, list[Finding], list[Finding]]:
    """Return the core's settings, why they can not be used, and what else is worth knowing."""
    unknown: list[Unknown] = []
    data = canonical(data, Root, unknown=unknown)
    resolved, readings, unset = resolve(data, environ)
    foreign = tuple(other.path for other in unknown)
    fatal = unset_findings([item for item in unset if not _below(item[0], foreign)])
    findings: list[Finding] = []
    for other in unknown:
        finding = _judge(other)
        if finding is not None:
            (fatal if _guards(other) else findings).append(finding)
    root = validate(Root, resolved, otherwise={**readings, **texts})
    if isinstance(root, tuple):
        return None, [*fatal, *root], findings
    return root, [*fatal, *_references(root)], findings


def _below(path: Path, others: tuple[Path, ...]) -> bool:
    return any(path[: len(other)] == other for other in others)


def _judge(other: Unknown) -> Finding | None:
    """Return what to say of an unknown key; nothing if it may be a plugin's section."""
    above, name = other.path[:-1], str(other.path[-1])
    dotted = ".".join([*map(str, above), camel(name)])
    if dotted in ELSEWHERE or dotted in MOVES or other.path == ("$schema",):
        return None
    guard = nearest(name, _GUARDS, cutoff=0.8)
    if guard is None and above in _HOLDERS and not _guards(other):
        if isinstance(other.value, dict):
            return None
        if name in KINDS or snake(name) in NAMES.get("".join(map(str, above)), ()):
            return error(other.path, f"should be an object, found {kind_of(other.value)}")
    near = f"tools.{guard}" if guard else nearest(name, own_keys(other.model))
    tell = error if above and above[0] in _STRICT else warning
    return tell(other.path, "unknown key", did_you_mean(near))


def _guards(other: Unknown) -> bool:
    """Say if passing over the key could leave a door open."""
    name = str(other.path[-1])
    if other.path[:-1] == ():
        return nearest(name, (*_GUARDS, *_GUARDED), cutoff=0.8) is not None
    return other.path[0] == "plugins" or nearest(name, _GUARDS, cutoff=0.8) is not None


def _references(root: Root) -> Iterator[Finding]:
    """Yield references to presets that are not defined."""
    names = [*root.model_presets, "default"]
    places: list[tuple[Path, str | None]] = [
        (("agents", "defaults", "modelPreset"), root.agents.defaults.model_preset)
    ]
    for index, fallback in enumerate(root.agents.defaults.fallback_models):
        if isinstance(fallback, str):
            places.append((("agents", "defaults", "fallbackModels", index), fallback))
    for path, name in places:
        if name is not None and find_preset(names, name) is None:
            near = nearest(name, names)
            message = "names a preset that modelPresets does not define"
            yield error(path, message, did_you_mean(near and show((near,))))
    if "default" in root.model_presets:
        yield error(("modelPresets", "default"), "is reserved for the model of agents.defaults")


def find_preset(names: Iterable[str], name: str) -> str | None:
    """Return the preset of that name, else the only one that differs in case alone."""
    names = tuple(names)
    if name in names:
        return name
    alike = [other for other in names if other.lower() == name.lower()]
    return alike[0] if len(alike) == 1 else None
