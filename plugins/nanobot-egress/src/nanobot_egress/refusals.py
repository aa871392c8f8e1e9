"""The words of a refused address."""

from __future__ import annotations

from nanobot.errors import BlockedAddress

OPEN = "To open a private network of yours to tools, add it to tools.ssrfWhitelist."
CLOSED = "It stays closed, even to tools.ssrfWhitelist."


def blocked(host: str, reason: str, remedy: str = OPEN) -> BlockedAddress:
    """Return the refusal of a host; the reason completes "the address is ...".

    What to do about it is part of the message too, since a tool's error reaches the user by it.
    """
    message = f"Tools may not reach {host!r}: the address is {reason}. {remedy}"
    error = BlockedAddress(message, target=host)
    error.remedy = remedy
    return error
