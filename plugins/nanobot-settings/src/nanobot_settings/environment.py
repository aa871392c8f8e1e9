"""What the environment adds: ``${VAR}`` in values, and variables that stand for settings."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from nanobot_documents import strict_json

from nanobot_settings.finding import Finding
from nanobot_settings.keys import Path, error, fold
from nanobot_settings.masking import remember_secret
from nanobot_settings.spelling import camel

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRET = re.compile(
    r"(?:key|token|secret|password|passwd|passphrase|cookie|credential)s?$|^authorization$",
    re.IGNORECASE,
)


def is_secret_name(name: str) -> bool:
    """Say if a key or variable of this name is likely to hold a secret."""
    return _SECRET.search(name) is not None


def overlay(
    data: dict[str, Any], environ: Mapping[str, str], prefix: str
) -> tuple[dict[str, Any], dict[Path, Any], list[Finding]]:
    """Lay variables such as ``<PREFIX>PROVIDERS__DEEPSEEK__API_KEY`` over a copy of the document.

    Returns:
        The copy; the text of values that were read as JSON, by path; what could not be laid over.
    """
    data, texts, findings = copy.deepcopy(data), {}, []
    for name in sorted(environ):
        if not name.startswith(prefix) or "__" not in name:
            continue
        path, holder = _find(data, name.removeprefix(prefix).split("__"))
        if holder is None:
            findings.append(error((), f"the environment variable {name} does not name a setting"))
            continue
        text = _take(environ, name)
        holder[path[-1]], texts[path] = _read(text), text
    return data, texts, findings


def _find(data: Any, segments: list[str]) -> tuple[Path, dict[Any, Any] | None]:
    """Return where a variable's value goes, and the object there; missing ones are made."""
    path: list[str] = []
    for index, segment in enumerate(segments):
        if not segment or not isinstance(data, dict):
            return (), None
        key = next((key for key in data if fold(key) == fold(segment)), camel(segment.lower()))
        path.append(key)
        if index < len(segments) - 1:
            data = data.setdefault(key, {})
    return tuple(path), data


def _take(environ: Mapping[str, str], name: str) -> str:
    if is_secret_name(name):
        remember_secret(environ[name])
    return environ[name]


def _read(text: str) -> Any:
    try:
        return strict_json.loads(text)
    except strict_json.JsonError:
        return text


def resolve(
    value: Any, environ: Mapping[str, str], *, path: Path = ()
) -> tuple[Any, dict[Path, Any], list[Finding]]:
    """Replace ``${VAR}`` in every text of a value.

    Returns:
        The value; a second reading of texts that are JSON once replaced, by path; which variables
        are not set.
    """
    readings: dict[Path, Any] = {}
    unset: list[Finding] = []

    def replaced(value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {key: replaced(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [replaced(item, (*path, index)) for index, item in enumerate(value)]
        if not isinstance(value, str) or not _REFERENCE.search(value):
            return value
        missing = [name for name in _REFERENCE.findall(value) if name not in environ]
        for name in missing:
            message = f"the environment variable {name} is not set"
            unset.append(error(path, message, "export it before starting nanobot"))
        if missing:
            return value
        text = _REFERENCE.sub(lambda found: _take(environ, found[1]), value)
        readings[path] = _read(text)
        return text

    return replaced(value, path), readings, unset
