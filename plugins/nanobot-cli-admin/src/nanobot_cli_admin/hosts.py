"""Which hosts are this machine, or a private network, by their spelling."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable


def is_loopback(host: str) -> bool:
    """Say if a server that binds to this host is reached from this machine only.

    An empty host, ``*`` and every spelling of zero, such as ``0``, mean all interfaces.
    """
    name = host.lower().removeprefix("[").removesuffix("]").removesuffix(".")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_private(host: str, allowed: Iterable[object]) -> bool:
    """Say if the host is, by its spelling, an address of this machine or a private network.

    Args:
        host: Name or address; names other than localhost are not looked up.
        allowed: Networks that are exempt.
    """
    name = host.lower().rstrip(".")
    try:
        address = ipaddress.ip_address("127.0.0.1" if name == "localhost" else name)
    except ValueError:
        return False
    return not address.is_global and not any(_within(address, network) for network in allowed)


def _within(address: ipaddress.IPv4Address | ipaddress.IPv6Address, network: object) -> bool:
    try:
        return address in ipaddress.ip_network(str(network), strict=False)
    except ValueError:  # written as ${VAR}: what it stands for may be the right one
        return True
