"""Decides which hosts may be reached, and at which addresses."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_network

import httpx2
from nanobot.context import PUBLIC_ONLY, Network
from nanobot.errors import ToolError

from nanobot_egress.addresses import METADATA, Address, effective, parse_address, refusal
from nanobot_egress.refusals import CLOSED, OPEN, blocked
from nanobot_egress.resolve import Resolve, resolve
from nanobot_egress.urls import host_of, parse_url, read_host

LOOKUP_S = 10.0
_MOST_ADDRESSES = 64
_PRIVATE_NAMES = ("localhost", "local", "internal", "intranet", "lan", "corp", "home", "home.arpa")


class Guard:
    """Checks hosts and addresses against what an instance may reach.

    Args:
        network: What the owner opened beyond the public internet.
        resolve: Looks names up.
    """

    def __init__(self, network: Network = PUBLIC_ONLY, *, resolve: Resolve = resolve) -> None:
        self._allowed = tuple(ip_network(text, strict=False) for text in network.allowed)
        self._resolve = resolve

    async def check(self, url: str) -> None:
        """Tell whether a URL may be fetched, by raising what a fetch would raise.

        Only for telling early: the connection itself is checked again, at the socket.

        Raises:
            BlockedAddress: An address of the host may not be reached.
            ToolError: kind ``bad_url``, ``unknown_host`` or ``timeout``.
        """
        await self.addresses(host_of(parse_url(url)))

    async def addresses(self, host: str | Address) -> tuple[str, ...]:
        """Return the addresses of a host, all checked, in the order in which to try them.

        One bad address among good ones refuses the host: who mixes them means no good.

        Raises:
            BlockedAddress: An address may not be reached.
            ToolError: kind ``unknown_host`` or ``timeout``.
        """
        if isinstance(host, str):
            host = read_host(host.lower())
        if not isinstance(host, str):
            return (self._checked(host, str(host)),)
        found = await self._look_up(host)
        return tuple(dict.fromkeys(self._checked(address, host) for address in found))

    async def check_for_proxy(self, url: httpx2.URL) -> None:
        """Check a host that a proxy will resolve.

        A literal address, and a name that resolves here, are checked as ever. A name that does not
        resolve here is left to the proxy, unless it is a name that only private networks have.

        Raises:
            BlockedAddress: It may not be reached.
            ToolError: kind ``bad_url`` or ``timeout``.
        """
        host = host_of(url)
        try:
            await self.addresses(host)
        except ToolError as error:
            if error.kind != "unknown_host" or not isinstance(host, str):
                raise
            if "." not in host or host.endswith(tuple(f".{end}" for end in _PRIVATE_NAMES)):
                raise blocked(host, "a name of private networks") from None

    def _checked(self, address: Address, host: str) -> str:
        reason = refusal(address, self._allowed)
        if reason:
            raise blocked(host, reason, CLOSED if reason == METADATA else OPEN)
        return str(effective(address))

    async def _look_up(self, name: str) -> list[Address]:
        try:
            async with asyncio.timeout(LOOKUP_S):
                found = await self._resolve(name)
        except TimeoutError:
            raise ToolError(
                f"Looking up {name!r} took too long.", kind="timeout", retryable=True, target=name
            ) from None
        except (OSError, UnicodeError) as error:
            again = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
            raise _unknown(name, retryable=again) from None
        if not found:
            raise _unknown(name)
        if len(found) > _MOST_ADDRESSES:
            raise blocked(name, f"one of more than {_MOST_ADDRESSES}")
        return [parse_address(text) for text in found]


def _unknown(name: str, *, retryable: bool = False) -> ToolError:
    return ToolError(
        f"The host {name!r} is not known.", kind="unknown_host", retryable=retryable, target=name
    )
