"""Reads URLs so strictly that no two parsers can disagree about the host."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

import httpx2
from nanobot.errors import ToolError

from nanobot_egress.addresses import Address
from nanobot_egress.refusals import blocked

MAX_URL = 8192
PLAINLY = "Write it as 192.0.2.1; tools.ssrfWhitelist does not change that."
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_FORM = re.compile(r"(?i:https?)://([^/?#]+)(?=[/?#]|\Z)")
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


def parse_url(text: str) -> httpx2.URL:
    """Return a URL that can mean only one thing.

    Raises:
        ToolError: kind ``bad_url``.
        BlockedAddress: The host is an IPv4 address in disguise, such as ``2130706433``.
    """
    if len(text) > MAX_URL:
        raise bad_url(f"The URL is longer than {MAX_URL} characters.")
    if _CONTROL.search(text):
        raise bad_url("The URL contains control characters.")
    found = _FORM.match(text)
    if not found:
        raise bad_url("Only URLs that begin with http:// or https:// and name a host can be used.")
    authority = found[1]
    if any(char.isspace() or char == "\\" for char in authority) or authority.count("@") > 1:
        raise bad_url("The URL's host is not well-formed.")
    try:
        url = httpx2.URL(text)
    except (httpx2.InvalidURL, ValueError):
        raise bad_url("The URL is not well-formed.") from None
    host_of(url)
    return url


def host_of(url: httpx2.URL) -> str | Address:
    """Return the host of a URL: a name in lower-case ASCII without final dot, or an address.

    Raises:
        ToolError: kind ``bad_url``.
        BlockedAddress: The host is an IPv4 address in disguise.
    """
    if url.scheme not in ("http", "https"):
        raise bad_url("Only http and https can be used.")
    if url.port is not None and not 0 < url.port < 65536:
        raise bad_url("The URL's port is not between 1 and 65535.")
    return read_host(url.raw_host.decode("ascii").lower())


def read_host(text: str) -> str | Address:
    """Return what a host in lower-case ASCII means; raises as `host_of` does."""
    if ":" in text:
        if "%" in text:
            raise bad_url("A host can not have a zone.")
        try:
            return IPv6Address(text)
        except ValueError:
            raise bad_url("The URL's host is not an IPv6 address.") from None
    name = text.removesuffix(".")
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        try:
            return IPv4Address(name)
        except ValueError:
            raise blocked(name, "an IPv4 address in an unusual spelling", PLAINLY) from None
    if len(name) > 253 or not _NAME.fullmatch(name):
        raise bad_url("The URL's host is not well-formed.")
    return name


def origin_of(url: httpx2.URL | str) -> str:
    """Return scheme, host and port: what may be logged or shown of a URL."""
    if isinstance(url, str):
        try:
            url = httpx2.URL(url)
        except (httpx2.InvalidURL, ValueError):
            return "a URL that is not well-formed"
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{url.scheme}://{host}" + (f":{url.port}" if url.port is not None else "")


def bad_url(message: str) -> ToolError:
    """Return the refusal of a URL that can not be read."""
    return ToolError(message, kind="bad_url")
