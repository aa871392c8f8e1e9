"""Which addresses tools may reach: public unicast, by a table of our own.

`ipaddress.is_global` differs between Python versions and calls 192.0.0.192 (a cloud's metadata)
and NAT64 addresses global. The table follows the IANA special-purpose registries for IPv4 and IPv6.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Net = IPv4Network | IPv6Network

METADATA = "a cloud's metadata service"
_METADATA = tuple(
    ip_network(text)
    for text in (
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure's wire server, within public address space
        "169.254.0.23",  # Tencent Cloud
        "169.254.42.42",  # Scaleway
        "169.254.169.254",  # nearly every cloud
        "169.254.170.2",  # Amazon ECS
        "169.254.170.23",  # Amazon EKS
        "192.0.0.192",  # Oracle Cloud
        "fd00:42::42",  # Scaleway
        "fd00:c1::a9fe:a9fe",  # Oracle Cloud
        "fd00:ec2::23",  # Amazon EKS
        "fd00:ec2::254",  # Amazon EC2
        "fd20:ce::254",  # Google Cloud
        "fe80::a9fe:a9fe",  # OpenStack
    )
)
_CLOSED = tuple(
    (ip_network(text), what)
    for text, what in (
        ("0.0.0.0/8", "this host"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by a carrier"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved for protocols"),
        ("192.0.2.0/24", "for documentation"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::1/128", "loopback"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
        ("2001::/23", "reserved for protocols"),
        ("2001:db8::/32", "for documentation"),
        ("2002::/16", "a 6to4 tunnel"),
        ("3ffe::/16", "reserved"),
        ("3fff::/20", "for documentation"),
    )
)
_UNICAST6 = IPv6Network("2000::/3")
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


def effective(address: Address) -> Address:
    """Return where a packet to an address ends up: the IPv4 address within a mapped or NAT64 one.

    Other forms that carry an IPv4 address (compatible, translated, 6to4, Teredo, local NAT64) are
    not public and stay as they are, to be refused.
    """
    if isinstance(address, IPv6Address) and (address in _MAPPED or address in _NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def refusal(address: Address, allowed: tuple[Net, ...] = ()) -> str:
    """Return why an address may not be reached; empty when it may.

    Args:
        allowed: Networks that the owner opened. The metadata services of clouds, which hand out
            keys to whoever asks, stay closed.
    """
    if isinstance(address, IPv6Address):
        address = IPv6Address(int(address))  # without a zone, which would hide it from the table
    end = effective(address)
    if any(one in net for one in (address, end) for net in _METADATA):
        return METADATA
    if any(one in net for one in (address, end) for net in allowed):
        return ""
    for net, what in _CLOSED:
        if end in net:
            return what
    if isinstance(end, IPv6Address):
        if end not in _UNICAST6:
            return "not public"
        if (int(end) >> 32) & 0xFFFFFFFF in _ISATAP:
            return refusal(IPv4Address(int(end) & 0xFFFFFFFF))
    return ""


def parse_address(text: str) -> Address:
    """Return an address as a resolver or a URL writes it; raises ValueError."""
    return ip_address(text)
