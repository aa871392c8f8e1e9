"""Keys: their two spellings, the nearest valid one, and what is said of one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from nanobot_documents.strict_json import kind_of as kind_of
from pydantic import BaseModel

from nanobot_settings.finding import Finding
from nanobot_settings.masking import redact
from nanobot_settings.spelling import camel, snake

Path = tuple[str | int, ...]

_PLAIN = re.compile(r"[A-Za-z_]\w{0,63}", re.ASCII)


def spelled(data: Any, name: str) -> str | None:
    """Return the key under which an object holds a name, in whichever spelling."""
    keys = data if isinstance(data, dict) else ()
    return next((key for key in (camel(name), snake(name), name) if key in keys), None)


def lookup(data: Any, path: Iterable[str]) -> Any:
    """Return the value at a path, in whichever spelling; None where there is none."""
    for name in path:
        key = spelled(data, name)
        if key is None:
            return None
        data = data[key]
    return data


def nearest(key: str, valid: Iterable[str], *, cutoff: float = 0.7) -> str | None:
    """Return the valid key that was most likely meant, None if none is near."""
    folded = {fold(name): name for name in valid}
    found = difflib.get_close_matches(fold(key), folded, n=1, cutoff=cutoff)
    return folded[found[0]] if found else None


def fold(key: str) -> str:
    """Return a form of the key in which case and underscores do not count."""
    return key.replace("_", "").replace("-", "").lower()


def show(path: Path) -> str:
    """Return a path for people; a part that may be a value in the wrong place is hidden."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            plain = _PLAIN.fullmatch(part) and redact(part) == part
            text += ("." if text else "") + (part if plain else "<redacted>")
    return text


def error(path: Path, message: str, remedy: str = "") -> Finding:
    """Return a finding of what has no effect or is refused."""
    return Finding(path=show(path), severity="error", message=message, remedy=remedy)


def warning(path: Path, message: str, remedy: str = "") -> Finding:
    """Return a finding of what is likely wrong or risky."""
    return Finding(path=show(path), severity="warning", message=message, remedy=remedy)


def did_you_mean(near: str | None) -> str:
    """Return the remedy for a misspelt name, if there is a name near it."""
    return f"did you mean {near}?" if near else ""


def listed(findings: Sequence[Finding]) -> str:
    """Return the findings as one line if there is one, else as a list of at most ten."""
    if len(findings) == 1:
        return str(findings[0])
    lines = [f"\n  - {finding}" for finding in findings[:10]]
    if len(findings) > 10:
        lines.append(f"\n  … and {len(findings) - 10} more")
    return f"{len(findings)} problems" + "".join(lines)


def own_keys(model: type[BaseModel]) -> list[str]:
    """Return the keys that an object of this model may hold."""
    return [field.alias or name for name, field in model.model_fields.items()]


def all_keys(kind: Any, *, above: tuple[Any, ...] = (), key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every key of a model and of the models inside it, with each type it may have."""
    if kind in above:
        return
    yield key, kind
    if _is_model(kind):
        for name, field in kind.model_fields.items():
            yield from all_keys(field.annotation, above=(*above, kind), key=field.alias or name)
    for argument in get_args(kind):
        yield from all_keys(argument, above=above, key=key)


class Unknown(NamedTuple):
    """A key that the model at its place does not know."""

    path: Path
    value: Any
    model: type[BaseModel]


def canonical(
    value: Any,
    model: Any,
    *,
    unknown: list[Unknown] | None = None,
    twice: list[Path] | None = None,
    path: Path = (),
) -> Any:
    """Return a copy in which every key that the model knows is in camelCase.

    Names that users choose (of presets, headers, ...) and unknown keys stay as they are; where
    unknown keys are asked for, they are left out of the copy.

    Args:
        model: The type that the value is meant to have.
        unknown: Receives the keys that the model does not know.
        twice: Receives the paths of keys that stand there in both spellings; they are left alone.
        path: Where the value stands.
    """

    def inner(item: Any, kind: Any, *parts: str | int) -> Any:
        return canonical(item, kind, unknown=unknown, twice=twice, path=(*path, *parts))

    origin, arguments = get_origin(model), get_args(model)
    if origin is Annotated:
        return inner(value, arguments[0])
    if origin in (Union, UnionType):
        return inner(value, next((arm for arm in arguments if _holds(arm, value)), None))
    if isinstance(value, list) and origin in (list, tuple):
        return [inner(item, arguments[0], index) for index, item in enumerate(value)]
    if isinstance(value, dict) and origin is dict:
        return {key: inner(item, arguments[1], key) for key, item in value.items()}
    if not (isinstance(value, dict) and _is_model(model)):
        return value
    aliases = dict(zip(model.model_fields, own_keys(model), strict=True))
    types = {aliases[name]: field.annotation for name, field in model.model_fields.items()}
    result = {}
    for key, item in value.items():
        alias = key if key in types else aliases.get(key)
        if alias is None and unknown is not None:
            unknown.append(Unknown((*path, key), item, model))
            continue
        if alias not in (None, key) and alias in value:
            alias = None
            if twice is not None:
                twice.append((*path, key))
        result[alias or key] = inner(item, types[alias], alias) if alias else item
    return result


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _holds(kind: Any, value: Any) -> bool:
    origin = get_origin(kind)
    if origin is Annotated:
        return _holds(get_args(kind)[0], value)
    if isinstance(value, dict):
        return origin is dict or _is_model(kind)
    return isinstance(value, list) and origin in (list, tuple)
