"""The network guard: the only way for tools to reach the network.

Tools fetch with an `Egress`; SDKs that take an HTTP client get one from `open_client`. Both resolve
a name once, check every address, and connect to exactly an address that was checked. Vendors whose
address the owner configured are reached through `open_vendor_client`, which checks no address.
"""

from nanobot_egress.body import read_body
from nanobot_egress.clients import load_tls, open_client, open_vendor_client
from nanobot_egress.fetch import Egress, Fetched
from nanobot_egress.guard import Guard
from nanobot_egress.urls import origin_of, parse_url

__all__ = [
    "Egress",
    "Fetched",
    "Guard",
    "load_tls",
    "open_client",
    "open_vendor_client",
    "origin_of",
    "parse_url",
    "read_body",
]
