"""Tokens that are issued: random, kept in memory as hashes, and gone after a while."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from enum import StrEnum
from hashlib import sha256

from nanobot.context import Clock

MOST = 10_000


class Audience(StrEnum):
    """What a token is good for."""

    CLIENT = "client"
    WEBUI = "webui"
    API = "api"


class TooManyTokens(Exception):
    """Report that so many tokens are outstanding that no more are issued."""


class Tokens:
    """Issued tokens.

    They are found by hash, so the time of a look-up says nothing about their text.

    Args:
        ttl_s: Seconds that a token is valid.
    """

    def __init__(self, ttl_s: float, clock: Clock) -> None:
        self._ttl = ttl_s
        self._clock = clock
        # All live equally long, so the oldest is always the first to expire.
        self._sockets: OrderedDict[bytes, tuple[float, Audience]] = OrderedDict()
        self._api: OrderedDict[bytes, tuple[float, Audience]] = OrderedDict()

    def issue(self, audience: Audience) -> str:
        """Return a new token: for `API` good for many requests, else for one connection.

        Raises:
            TooManyTokens: Too many are outstanding.
        """
        kept = self._api if audience is Audience.API else self._sockets
        self._expire(kept)
        if len(kept) >= MOST:
            raise TooManyTokens
        token = "nbwt_" + secrets.token_urlsafe(32)
        kept[_digest(token)] = (self._clock.monotonic() + self._ttl, audience)
        return token

    def redeem(self, token: str) -> Audience | None:
        """Use up a token for a connection; None if it is not valid."""
        self._expire(self._sockets)
        found = self._sockets.pop(_digest(token), None)
        return found[1] if found else None

    def admits(self, token: str) -> bool:
        """Tell whether a token for requests is valid."""
        self._expire(self._api)
        return _digest(token) in self._api

    def _expire(self, kept: OrderedDict[bytes, tuple[float, Audience]]) -> None:
        now = self._clock.monotonic()
        while kept and next(iter(kept.values()))[0] <= now:
            kept.popitem(last=False)


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
