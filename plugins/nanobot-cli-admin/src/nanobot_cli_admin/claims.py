"""Say which sections no installed plugin reads, and which do not fit."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from nanobot.admin import Config, CoreSettings, distribution, section_path
from nanobot.config import ConfigModel
from nanobot.findings import Finding
from nanobot.specs import ProviderSpec, Spec
from nanobot_router_standard.detection import owner_of_address
from nanobot_settings.environment import resolve
from nanobot_settings.keys import (
    did_you_mean,
    error,
    fold,
    kind_of,
    lookup,
    nearest,
    own_keys,
    show,
    warning,
)
from nanobot_settings.spelling import camel, snake
from nanobot_settings.validation import validate

from nanobot_cli_admin.known import ELSEWHERE, KINDS, NAMES
from nanobot_cli_admin.lint import lint
from nanobot_cli_admin.shapes import OWNERS, SHAPES

Place = tuple[str, ...]

_EMPTY: tuple[Any, ...] = (None, "", [], {})


def check(
    config: Config,
    specs: Mapping[str, Iterable[Spec]],
    *,
    installed: Mapping[str, Iterable[str]] | None = None,
) -> tuple[Finding, ...]:
    """Return what there is to say of plugins' sections; never raises.

    Args:
        config: The configuration.
        specs: What the loaded plugins offer, by kind.
        installed: Names of all installed plugins by kind, loaded or not.
    """
    offered = {kind: tuple(found) for kind, found in specs.items()}
    findings: list[Finding] = []
    for kind, found in offered.items():
        for spec in found:
            set_ = lookup(config.effective, section_path(spec, kind)) is not None
            result = config.validated(spec, kind) if set_ else ()
            if isinstance(result, tuple) and not config.is_off(spec, kind):
                findings += result
    findings += unclaimed(config.effective, offered, installed=installed, environ=config.environ)
    return tuple(dict.fromkeys((*findings, *lint(config.effective))))


def unclaimed(
    document: Mapping[str, Any],
    specs: Mapping[str, Collection[Spec]],
    *,
    installed: Mapping[str, Iterable[str]] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Iterator[Finding]:
    """Yield what there is to say of sections that none of the specs is for.

    Args:
        document: The configuration, ``${VAR}`` as it is written.
        environ: Where ``${VAR}`` is looked up.
    """
    names = {kind: set(found) for kind, found in (installed or {}).items()}
    for kind, offered in specs.items():
        names.setdefault(kind, set()).update(spec.name for spec in offered)
    claimed = {section_path(spec, kind) for kind, offered in specs.items() for spec in offered}
    vendors = [spec for spec in specs.get("providers", ()) if isinstance(spec, ProviderSpec)]
    adopts = any(spec.adopts for spec in vendors) or "custom" in names.get("providers", ())
    kinds = tuple(dict.fromkeys((*KINDS, *names)))
    for path, value in _sections(document, kinds):
        kind, name = path
        if _is_read(path, claimed) or snake(name) in names.get(kind, ()) or _is_off(value):
            continue
        base = lookup(value, ("apiBase",)) if kind == "providers" else None
        served = adopts or (isinstance(base, str) and owner_of_address(base, vendors) is not None)
        finding = _unclaimed(kind, name, value, names.get(kind, set()), served)
        if finding is not None:
            yield finding
        yield from resolve(value, environ, path=path)[2]
    for dotted, (kind, name) in ELSEWHERE.items():
        place = tuple(dotted.split("."))
        value = lookup(document, place)
        known = _is_read(place, claimed) or name in names.get(kind, ())
        if value is not None and not known and not _is_off(value):
            yield _missing(place, value, distribution(kind, name))
    owned = claimed | {(s,) for s, (kind, name) in OWNERS.items() if name in names.get(kind, ())}
    yield from _shared(document, owned, environ)
    yield from _strays(document, kinds, claimed)


def _sections(
    document: Mapping[str, Any], kinds: Iterable[str]
) -> Iterator[tuple[tuple[str, str], Any]]:
    """Yield what stands under kinds, without what is shared there or known elsewhere."""
    for kind in kinds:
        found = document.get(kind)
        for name, value in found.items() if isinstance(found, dict) else ():
            shared = kind in ("channels", "tools") and not isinstance(value, dict)
            if not shared and f"{kind}.{camel(name)}" not in ELSEWHERE:
                yield (kind, camel(name)), value


def _is_read(path: Place, claimed: Iterable[Place]) -> bool:
    """Say if a plugin reads the section, or a part of it, or one that it is part of."""
    return any(path[: len(own)] == own[: len(path)] for own in claimed)


def _is_off(value: Any) -> bool:
    return isinstance(value, dict) and value.get("enabled", value.get("enable")) is False


def _unclaimed(
    kind: str, name: str, value: Any, installed: Iterable[str], served: bool
) -> Finding | None:
    path, known = (kind, name), NAMES.get(kind, [])
    if value is None:
        return None
    if not isinstance(value, dict):
        return error(path, f"should be an object, found {kind_of(value)}")
    if snake(name) not in known:
        if kind == "providers" and lookup(value, ("apiBase",)):
            return None if served else _missing(path, value, distribution(kind, "custom"))
        elsewhere = (place.rpartition(".")[2] for place in ELSEWHERE if place.startswith(kind))
        near = nearest(name, (*installed, *known, *elsewhere))
        if near is not None:
            message = f"there is no plugin of this name{_keys(value)}"
            return error(path, message, did_you_mean(camel(near)))
    if kind == "providers" and all(item in _EMPTY for item in value.values()):
        return None
    if kind == "providers" and snake(name) not in known:
        message = f"no installed plugin has this name, and it has no apiBase{_keys(value)}"
        return error(path, message, "set apiBase to an OpenAI-compatible server's address")
    return _missing(path, value, distribution(kind, name))


def _missing(path: Place, value: Any, owner: str) -> Finding:
    return warning(path, f"no installed plugin reads it{_keys(value)}", f"pip install {owner}")


def _keys(value: Any) -> str:
    names = [show((key,)) for key in value][:5] if isinstance(value, dict) else []
    return f" (keys: {', '.join(names)})" if names else ""


def _shared(
    document: Mapping[str, Any], claimed: Collection[Place], environ: Mapping[str, str]
) -> Iterator[Finding]:
    """Hold sections that have no one plugin of their own against what is known of them."""
    for name, model in SHAPES.items():
        section = lookup(document, (name,))
        if isinstance(section, dict):
            section = {
                key: item
                for key, item in section.items()
                if not isinstance(item, dict) and not _is_read((name, camel(key)), claimed)
            }
        if section is not None and (name,) not in claimed:
            yield from _misfits(model, section, (name,), environ)


def _misfits(
    model: type[ConfigModel], value: Any, path: Place, environ: Mapping[str, str]
) -> Iterable[Finding]:
    resolved, readings, unset = resolve(value, environ, path=path)
    if unset:
        return unset
    result = validate(model, resolved, path=path, otherwise=readings)
    return result if isinstance(result, tuple) else ()


def _strays(
    document: Mapping[str, Any], kinds: Iterable[str], claimed: Iterable[Place]
) -> Iterator[Finding]:
    """Yield sections at the top of the file that neither the core nor anyone knows."""
    valid = {fold(name): name for name in (*own_keys(CoreSettings), *SHAPES, *kinds)}
    for name, value in document.items():
        path = (camel(name),)
        known = fold(name) in valid or camel(name) in ELSEWHERE or _is_read(path, claimed)
        if isinstance(value, dict) and not known and not nearest(name, own_keys(CoreSettings)):
            near = nearest(name, valid.values())
            yield warning(path, f"unknown section{_keys(value)}", did_you_mean(near))
