"""Logging: structlog key-values to standard error, with secrets masked on the way out.

structlog is imported when the first record is written, not before: most runs of the command line
write none, and the import costs as much as a whole turn.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import Any

from nanobot_settings.masking import MASK as MASK
from nanobot_settings.masking import redact as redact
from nanobot_settings.masking import redact_item
from nanobot_settings.masking import remember_secret as remember_secret


def _redact_event(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key, value in event.items():
        event[key] = redact_item(key, value)
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
