"""Checks of addresses in the configuration."""

from __future__ import annotations

import ipaddress

_WIDEST = {4: 8, 6: 7}
"""Shortest prefix of a network that tools may be allowed: 10.0.0.0/8 and fc00::/7."""


def check_host(value: str) -> str:
    """Refuse what can not be the name or address of a host."""
    if any(character.isspace() or not character.isprintable() for character in value):
        raise ValueError("must be a host name or an IP address")
    return value


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


def is_private(host: str, allowed: tuple[str, ...]) -> bool:
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
    if any(address in ipaddress.ip_network(network, strict=False) for network in allowed):
        return False
    return not address.is_global


def check_network(value: str) -> str:
    """Refuse what is not a network in CIDR form, and networks too wide to be anyone's own."""
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise ValueError("must be a network such as 192.168.1.0/24") from None
    if network.prefixlen < _WIDEST[network.version]:
        raise ValueError("is too wide: it would open the network guard for the whole internet")
    return value
