"""Validate the core's own settings, and judge the keys that are not among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nanobot_settings.environment import resolve
from nanobot_settings.keys import (
    Path,
    Unknown,
    canonical,
    did_you_mean,
    error,
    kind_of,
    nearest,
    own_keys,
    show,
    warning,
)
from nanobot_settings.validation import validate

from nanobot._config.migrate import MOVES
from nanobot._config.schema import CoreSettings
from nanobot._names import camel
from nanobot.findings import Finding

_GUARDS = ("restrictToWorkspace", "ssrfWhitelist", "workspaceTools")
"""Settings that protect; one that is misspelt or misplaced must not pass unnoticed."""
_GUARDED = ("plugins", "tools")
"""Sections that hold such settings; an unknown key in them is an error."""
_OF_PLUGINS = (
    *("$schema", "api", "bindings", "channels", "gateway", "providers", "transcription"),
    *("agents.defaults.dream", "agents.profiles"),
    *("tools.maxSessionMessagesPerMinute", "tools.webuiAllowLocalServiceAccess"),
    "tools.webuiAllowRemotePackageInstall",
)
"""Known settings of which the core makes no use."""


def validate_core(
    data: dict[str, Any], environ: Mapping[str, str], texts: Mapping[Path, Any]
) -> tuple[CoreSettings | None, list[Finding], list[Finding]]:
    """Return the core's settings, why they can not be used, and what else is worth knowing."""
    unknown: list[Unknown] = []
    data = canonical(data, CoreSettings, unknown=unknown)
    resolved, readings, fatal = resolve(data, environ)
    findings: list[Finding] = []
    for other in unknown:
        finding = _judge(other)
        if finding is not None:
            (fatal if _guards(other) else findings).append(finding)
    core = validate(CoreSettings, resolved, otherwise={**readings, **texts})
    if isinstance(core, tuple):
        return None, [*fatal, *core], findings
    return core, [*fatal, *_references(core)], findings


def _judge(other: Unknown) -> Finding | None:
    """Return what to say of an unknown key; nothing if it may be a plugin's section."""
    above, name = other.path[:-1], str(other.path[-1])
    dotted = ".".join([*map(str, above), camel(name)])
    if dotted == "providers" and not isinstance(other.value, dict | None):
        return error(other.path, f"should be an object, found {kind_of(other.value)}")
    if dotted in _OF_PLUGINS or dotted in MOVES:
        return None
    guard = nearest(name, _GUARDS, cutoff=0.8)
    near = f"tools.{guard}" if guard else nearest(name, own_keys(other.model))
    if near is None and (not above or above == ("tools",)):
        if isinstance(other.value, dict):
            return None
        if above:
            return error(other.path, f"should be an object, found {kind_of(other.value)}")
    tell = error if above and above[0] in _GUARDED else warning
    return tell(other.path, "unknown key", did_you_mean(near))


def _guards(other: Unknown) -> bool:
    """Say if passing over the key could leave a door open, or no model to ask."""
    wanted = _GUARDS if other.path[:-1] else (*_GUARDS, *_GUARDED)
    near = nearest(str(other.path[-1]), wanted, cutoff=0.8)
    return near is not None or other.path[0] == "plugins" or other.path == ("providers",)


def _references(core: CoreSettings) -> Iterator[Finding]:
    """Yield references to presets that are not defined."""
    defaults, names = core.agents.defaults, [*core.model_presets, "default"]
    places: dict[Path, object] = {("modelPreset",): defaults.model_preset or "default"}
    for index, fallback in enumerate(defaults.fallback_models):
        places["fallbackModels", index] = fallback
    for path, name in places.items():
        if isinstance(name, str) and name not in names:
            near = nearest(name, names)
            message = "names a preset that modelPresets does not define"
            remedy = did_you_mean(near and show((near,)))
            yield error(("agents", "defaults", *path), message, remedy)
    if "default" in core.model_presets:
        yield error(("modelPresets", "default"), "is reserved for the model of agents.defaults")
