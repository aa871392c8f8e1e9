"""The table of addresses, held against the standard library where that can be trusted."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nanobot_egress.addresses import effective, refusal

V4 = st.integers(0, 2**32 - 1).map(IPv4Address)
V6 = st.integers(0, 2**128 - 1).map(IPv6Address)
NOT_CALLED_PRIVATE = tuple(
    ip_network(text)
    for text in (
        "100.64.0.0/10",  # neither private nor global there
        "168.63.129.16/32",
        "192.0.0.0/24",  # some of it is global there
        "192.88.99.0/24",
        "224.0.0.0/4",  # multicast is global there
    )
)


@given(V4)
def test_ipv4_agrees_with_the_standard_library(address: IPv4Address) -> None:
    if any(address in net for net in NOT_CALLED_PRIVATE):
        assert refusal(address)
    else:
        assert (refusal(address) == "") == address.is_global


@given(V6)
def test_what_the_standard_library_calls_private_is_refused(address: IPv6Address) -> None:
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert refusal(address)


@given(V4)
def test_every_form_that_carries_a_refused_address_is_refused(address: IPv4Address) -> None:
    if not refusal(address):
        return
    low = int(address)
    carriers = (
        0xFFFF << 32 | low,  # mapped
        low,  # compatible
        0xFFFF << 48 | low,  # translated
        0x64FF9B << 96 | low,  # NAT64
        0x64FF9B0001 << 80 | low,  # local NAT64
        0x2002 << 112 | low << 80 | 1,  # 6to4
        0x20010000 << 96 | 0x4136E378 << 64 | (low ^ 0xFFFFFFFF),  # Teredo
        0x26064700 << 96 | 0x5EFE << 32 | low,  # ISATAP
    )
    for number in carriers:
        assert refusal(IPv6Address(number)), IPv6Address(number)


@given(V4)
def test_mapped_and_nat64_count_as_what_they_carry(address: IPv4Address) -> None:
    for number in (0xFFFF << 32 | int(address), 0x64FF9B << 96 | int(address)):
        assert effective(IPv6Address(number)) == address
        assert refusal(IPv6Address(number)) == refusal(address)


@given(V6)
def test_a_zone_changes_nothing(address: IPv6Address) -> None:
    assert refusal(IPv6Address(f"{address}%eth0")) == refusal(address)


@pytest.mark.parametrize(
    "text",
    ["169.254.169.254", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "168.63.129.16",
     "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"],
)  # fmt: skip
def test_metadata_services_can_not_be_opened(text: str) -> None:
    everything = tuple(ip_network(net) for net in ("0.0.0.0/0", "::/0"))
    assert refusal(ipaddress.ip_address(text), everything) == "a cloud's metadata service"


def test_an_opened_network_is_open_and_no_other() -> None:
    allowed = (ip_network("10.1.0.0/16"), ip_network("fd00:1::/32"))
    for good in ("10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "fd00:1::5"):
        assert refusal(ipaddress.ip_address(good), allowed) == ""
    for bad in ("10.2.0.1", "127.0.0.1", "fd00:2::5", "::ffff:10.2.0.1", "2002:a01:203::1"):
        assert refusal(ipaddress.ip_address(bad), allowed)
