"""Logging: structlog key-values to standard error, with secrets masked on the way out."""

from __future__ import annotations

import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

MASK = "***"

_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?s)(?P<keep>-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?=-----END|\Z)",
        r"(?P<keep>\b(?:bearer|basic)\s+)[a-z0-9._~+/=-]{6,}",
        r"(?P<keep>/bot)\d{5,}:[\w-]+",
        r"(?P<keep>://)[^/\s:@]+:[^/\s@]+(?=@)",
        r"(?P<keep>\b[\w.-]*(?:token|secret|passw(?:or)?d|api[_-]?key|access[_-]?key|authorization|"
        r"cookie|signature|private[_-]?key|credential)s?[\"']?\s*[=:]\s*[\"']?)"
        r"(?!\*\*\*)(?!(?:bearer|basic)\b)[^\s\"'&,;}\]]+",
        r"(?P<keep>\bpairing code\s+)\S+",
        r"(?P<keep>)\b(?:sk|pk|rk)-[\w-]{8,}",
        r"(?P<keep>)\b(?:gh[pousr]_\w{8,}|github_pat_\w{8,}|glpat-[\w-]{8,}|hf_\w{8,}|nvapi-[\w-]{8,})",
        r"(?P<keep>)\bgsk_\w{8,}",
        r"(?P<keep>)\bxox[a-z]-[\w-]{6,}",
        r"(?P<keep>)\bAIza[\w-]{10,}",
        r"(?P<keep>)\b(?:AKIA|ASIA)[A-Z0-9]{8,}",
        r"(?P<keep>)\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*",
    )
)

_known: set[str] = set()


def remember_secret(value: str) -> None:
    """Mask a value from now on, wherever it would be logged or shown in an error.

    Args:
        value: The secret text; shorter than six characters is too common to mask.
    """
    if len(value) >= 6:
        _known.add(value)


def redact(text: str) -> str:
    """Return the text with known secrets, and what looks like one, replaced by ``***``."""
    for secret in _known:
        if secret in text:
            text = text.replace(secret, MASK)
    for pattern in _PATTERNS:
        text = pattern.sub(lambda found: found["keep"] + MASK, text)
    return text


def _redact_value(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redact_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redact_value(item) for item in value]
    if isinstance(value, int | float | bool | None):
        return value
    return redact(str(value))


def _redact_event(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key, value in event.items():
        event[key] = _redact_value(value)
    return event


def configure(*, level: str = "warning", json: bool = False) -> None:
    """Send log records of at least the given level to standard error.

    Args:
        level: debug, info, warning or error.
        json: One JSON object a line, for supervisors, instead of lines for people.
    """
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redact_event,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def get(**bound: Any) -> Any:
    """Return a logger that adds the given key-values to every record."""
    return structlog.get_logger(**bound)
