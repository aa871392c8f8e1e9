"""Keeps the bot's token, which is part of every URL, out of the libraries' log records."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from nanobot.log import redact

LIBRARIES = ("httpx", "httpcore", "telegram")


class _Masked(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), None
        return True


@contextmanager
def masked_logs() -> Iterator[None]:
    """Mask secrets in what the HTTP client and the SDK log through the standard library."""
    mask = _Masked()
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in LIBRARIES]
    loggers = [logging.getLogger(name) for name in {*names, *LIBRARIES}]
    for logger in loggers:
        logger.addFilter(mask)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(mask)
