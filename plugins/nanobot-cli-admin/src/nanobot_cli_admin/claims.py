"""Say which sections no installed plugin reads, and which do not fit their plugin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nanobot._config.config import Config, section_path
from nanobot._config.environment import resolve, unset_findings
from nanobot._config.findings import Finding, did_you_mean, error, warning
from nanobot._config.keys import fold, kind_of, lookup, nearest, own_keys, show
from nanobot._config.known import ELSEWHERE, KINDS, NAMES
from nanobot._config.schema import Root
from nanobot._names import camel, distribution, snake
from nanobot.specs import Spec

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
    specs = {kind: tuple(offered) for kind, offered in specs.items()}
    names = {kind: set(found) for kind, found in (installed or {}).items()}
    claimed = set()
    findings: list[Finding] = []
    for kind, offered in specs.items():
        names.setdefault(kind, set()).update(spec.name for spec in offered)
        for spec in offered:
            claimed.add(section_path(spec, kind))
            found = lookup(config.effective, section_path(spec, kind))
            result = config.validated(spec, kind) if found is not None else ()
            if isinstance(result, tuple) and not _is_off(found):
                findings += result
    adopts = any(getattr(spec, "adopts", False) for spec in specs.get("providers", ()))
    for path, value in _sections(config, (*KINDS, *names)):
        kind, name = path
        if _is_read(path, claimed) or snake(name) in names.get(kind, ()) or _is_off(value):
            continue
        unclaimed = _unclaimed(kind, name, value, names.get(kind, set()), adopts)
        findings += [unclaimed] if unclaimed else []
        findings += unset_findings(resolve(value, config.environ, path=path)[2])
    for dotted, owner in ELSEWHERE.items():
        place = tuple(dotted.split("."))
        value = lookup(config.effective, place)
        if value is not None and not _is_read(place, claimed) and not _is_off(value):
            findings.append(_missing(place, value, owner))
    return (*findings, *_strays(config, (*KINDS, *names), claimed))


def _sections(config: Config, kinds: Iterable[str]) -> Iterator[tuple[tuple[str, str], Any]]:
    """Yield what stands under kinds, without what the core reads or is known elsewhere."""
    for kind in dict.fromkeys(kinds):
        found = config.effective.get(kind)
        for name, value in found.items() if isinstance(found, dict) else ():
            shared = kind in Root.model_fields and not isinstance(value, dict)
            if not shared and f"{kind}.{camel(name)}" not in ELSEWHERE:
                yield (kind, camel(name)), value


def _is_read(path: tuple[str, ...], claimed: Iterable[tuple[str, ...]]) -> bool:
    """Say if a plugin reads the section, or a part of it, or one that it is part of."""
    return any(path[: len(own)] == own[: len(path)] for own in claimed)


def _is_off(value: Any) -> bool:
    return isinstance(value, dict) and value.get("enabled", value.get("enable")) is False


def _unclaimed(
    kind: str, name: str, value: Any, installed: Iterable[str], adopts: bool
) -> Finding | None:
    path, known = (kind, name), NAMES.get(kind, [])
    if value is None:
        return None
    if not isinstance(value, dict):
        return error(path, f"should be an object, found {kind_of(value)}")
    if snake(name) not in known:
        if kind == "providers" and lookup(value, ("apiBase",)):
            return None if adopts else _missing(path, value, distribution(kind, "custom"))
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


def _missing(path: tuple[str, ...], value: Any, owner: str) -> Finding:
    return warning(path, f"no installed plugin reads it{_keys(value)}", f"pip install {owner}")


def _keys(value: Any) -> str:
    names = [show((key,)) for key in value][:5] if isinstance(value, dict) else []
    return f" (keys: {', '.join(names)})" if names else ""


def _strays(
    config: Config, kinds: Iterable[str], claimed: Iterable[tuple[str, ...]]
) -> Iterator[Finding]:
    """Yield sections at the top of the file that nobody knows."""
    valid = {fold(name): name for name in (*own_keys(Root), *kinds)}
    for name, value in config.effective.items():
        path = (camel(name),)
        known = fold(name) in valid or camel(name) in ELSEWHERE or _is_read(path, claimed)
        if isinstance(value, dict) and not known:
            near = nearest(name, valid.values())
            yield warning(path, f"unknown section{_keys(value)}", did_you_mean(near))
