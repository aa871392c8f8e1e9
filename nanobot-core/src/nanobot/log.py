"""Logging: structlog key-values to standard error, with secrets masked on the way out.

structlog is imported when the first record is written, not before: most runs of the command line
write none, and the import costs as much as a whole turn.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

MASK = "***"

_NAME = (
    r"(?:token(?!s?\\*[\"']?\s*[=:]\s*\d{1,7}\b)|secret|passw(?:or)?d|passphrase|pwd|authorization|"
    r"(?:api|access|account|private|signing)[_-]?key|signature|credential)(?:[_-]?key)?s?"
)
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?s)(?P<keep>-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----).*?(?=-----END|\Z)",
        r"(?P<keep>\b(?:bearer|basic)\s+)(?=\S*(?-i:[A-Z0-9=]))[a-z0-9._~+/=-]{6,}",
        r"(?P<keep>\b(?:set-)?cookie\\*[\"']?\s*[:=]\s*)(?!\\*[\"']?\*\*\*)[^\n]+",
        # A name and a value: name=value, "name": "value", \"name\":\"value\", name%3Dvalue.
        rf"(?P<keep>{_NAME}\\*[\"']?\s*(?:=|:|%3[ad])\s*(?P<quote>\\*[\"'])?)"
        r"(?!\*\*\*|(?:bearer|basic)\b)(?(quote)(?:(?!(?P=quote))[^\n])+|[^\s\"'&,;}\]]+)",
        rf"(?P<keep>(?<![\w-])--[a-z-]*{_NAME}\s+)(?!\*\*\*)\S+",
        r"(?P<keep>[?&](?:key|sig|auth|code|jwt|sid)=)(?!\*\*\*)[^&\s\"'#]+",
        r"(?P<keep>\b(?:key|token|secret) provided: ?)(?!\*\*\*)\S+",
        r"(?P<keep>://)(?:[^/?#\s@:]+|[^/\s:@]*:[^/\s@]+)(?=@)",
        r"(?P<keep>\bbot)\d{5,}:[\w-]+",
        r"(?P<keep>hooks\.slack\.com/services/|/api/webhooks/\d+/|/bot/v2/hook/)[\w/-]+",
        r"(?P<keep>\bpairing code(?: is)?:?\s+)\S+",
        r"(?P<keep>\b(?:pairing|approve)\b[^\n]{0,40}?)\b(?-i:[A-Z0-9]{4}-[A-Z0-9]{4})\b",
        r"(?P<keep>)\b(?:(?:sk|pk|rk|xai|pplx|tvly|sess|nvapi|glpat|xox[a-z]|xapp)-[\w-]{6,}|"
        r"(?:gh[pousr]|github_pat|hf|gsk|npm|whsec|dop_v1|[spr]k_(?:live|test))_\w{8,}|"
        r"(?:AIza|ya29\.|AKIA|ASIA|AGE-SECRET-KEY-1)[\w-]{8,}|SG\.[\w-]{8,}\.[\w-]+|"
        r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|\d{8,10}:[\w-]{30,}|[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,})",
    )
)
_SECRET_KEY = re.compile(rf"(?:{_NAME}|cookie)\Z", re.IGNORECASE)

_known: list[str] = []  # longest first, so that no part of one is left by another


def remember_secret(value: str) -> None:
    """Mask a value from now on, wherever it would be logged or shown in an error.

    Args:
        value: The secret text; shorter than six characters is too common to mask.
    """
    for form in (value, quote(value, safe="")):
        if len(value) >= 6 and form not in _known:
            _known.append(form)
    _known.sort(key=len, reverse=True)


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
        return {key: _redact_item(key, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redact_value(item) for item in value]
    if isinstance(value, int | float | bool | None):
        return value
    return redact(str(value))


def _redact_item(key: Any, value: Any) -> Any:
    if isinstance(key, str) and isinstance(value, str | bytes) and _SECRET_KEY.search(key):
        return MASK
    return _redact_value(value)


def _redact_event(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key, value in event.items():
        event[key] = _redact_item(key, value)
    return event


LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Logger:
    """A logger with key-values bound to it; its records go to structlog.

    Args:
        bound: Key-values that are added to every record.
    """

    __slots__ = ("_bound",)

    def __init__(self, bound: Mapping[str, object]) -> None:
        self._bound = bound

    def bind(self, **values: object) -> Logger:
        """Return a logger with more key-values."""
        return Logger({**self._bound, **values})

    def debug(self, event: str, **values: object) -> None:
        """Write a record for developers."""
        self._write("debug", event, values)

    def info(self, event: str, **values: object) -> None:
        """Write a record of what happens normally."""
        self._write("info", event, values)

    def warning(self, event: str, **values: object) -> None:
        """Write a record of something that the owner should look at."""
        self._write("warning", event, values)

    def error(self, event: str, **values: object) -> None:
        """Write a record of a failure; ``exc_info=True`` adds the traceback."""
        self._write("error", event, values)

    def _write(self, level: str, event: str, values: Mapping[str, object]) -> None:
        if LEVELS[level] >= _sink.threshold:
            with suppress(OSError, ValueError):  # nobody reads standard error any more
                getattr(_sink.structlog(), level)(event, **{**self._bound, **values})


class _Sink:
    """Where records go; one per process, like standard error itself."""

    def __init__(self) -> None:
        self.threshold = LEVELS["warning"]
        self._json = False
        self._ready: Any = None

    def configure(self, level: str, json: bool) -> None:
        self.threshold, self._json, self._ready = LEVELS[level], json, None

    def structlog(self) -> Any:
        if self._ready is None:
            import structlog

            renderer: Any = (
                structlog.processors.JSONRenderer()
                if self._json
                else structlog.dev.ConsoleRenderer(
                    colors=sys.stderr.isatty(),
                    exception_formatter=structlog.dev.plain_traceback,
                )
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
                logger_factory=structlog.PrintLoggerFactory(sys.stderr),
                cache_logger_on_first_use=False,
            )
            self._ready = structlog.get_logger()
        return self._ready


_sink = _Sink()


def configure(*, level: str = "warning", json: bool = False) -> None:
    """Send log records of at least the given level to standard error.

    Args:
        level: debug, info, warning or error.
        json: One JSON object a line, for supervisors, instead of lines for people.
    """
    _sink.configure(level, json)


def get(**bound: object) -> Logger:
    """Return a logger that adds the given key-values to every record."""
    return Logger(bound)
