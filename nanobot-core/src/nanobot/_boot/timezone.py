"""The user's time zone."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo


def zone(name: str, mode: str) -> tzinfo:
    """Return the time zone to tell the time in.

    Args:
        name: IANA name, used when mode is ``manual``.
        mode: ``auto`` for the machine's own zone.
    """
    if mode == "auto":
        return datetime.now().astimezone().tzinfo or UTC
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC
