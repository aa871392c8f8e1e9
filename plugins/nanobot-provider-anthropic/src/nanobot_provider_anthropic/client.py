"""The SDK's client, made from the plugin's section; it finds no key of its own."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from importlib.metadata import version

import httpx2
from anthropic import AsyncAnthropic
from nanobot.errors import ConfigError
from nanobot.log import remember_secret

from nanobot_provider_anthropic.config import AnthropicConfig
from nanobot_provider_anthropic.faults import Faults

VERSION = "2023-06-01"
"""The API version. The newer 2026-10-21, which the SDK sends of its own accord, refuses a
temperature for every model, and servers that copy the API do not know it."""

IDLE_VARIABLE = "NANOBOT_STREAM_IDLE_TIMEOUT_S"
_CONNECT_S = 10.0
_IDLE_S = 90.0
_IDLE_LOCAL_S = 600.0  # a local server may load a model, or read a long prompt, before it answers
_IDLE_MAX_S = 3600.0
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_SECRET_NAME = re.compile(r"auth|key|token|secret|cookie|password|signature")


def headers_for(config: AnthropicConfig, section: str) -> dict[str, str]:
    """Return the headers for every request, names in lower case, the key among them.

    Args:
        section: Where the configuration is, for messages.

    Raises:
        ConfigError: A value can not be sent; it is not shown.
    """
    headers = {
        # Some vendors of the API turn the SDK away by its name.
        "user-agent": f"nanobot/{version('nanobot-core')}",
        "anthropic-version": VERSION,
        "accept-encoding": "identity",  # a compressed stream arrives in lumps
    }
    if key := config.api_key.reveal().strip() if config.api_key else "":
        # Servers that copy the API read x-api-key; the vendor prefers it when both are there.
        headers["x-api-key"] = key
    headers.update((name.lower(), value) for name, value in config.extra_headers.items())
    for name, value in headers.items():
        if _SECRET_NAME.search(name):
            remember_secret(value)
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            where = "apiKey" if name == "x-api-key" and key else f"extraHeaders ({name!r})"
            raise ConfigError(
                f"{section}.{where} has characters that an HTTP header can not carry",
                remedy="Copy the value again; it must be one line of ASCII.",
            )
    return headers


def open_client(
    config: AnthropicConfig, headers: Mapping[str, str], faults: Faults
) -> AsyncAnthropic:
    """Return a client that never retries and never looks for a key of its own.

    Raises:
        ConfigError: The address, the proxy or the time limit is unusable.
    """
    base, query = split_base(config.api_base or faults.vendor.base_url, faults.section)
    local = _is_local(httpx2.URL(base).host)
    timeout = httpx2.Timeout(_idle(local), connect=_CONNECT_S)
    try:
        # Redirects are not followed: x-api-key would go along to another host.
        http = httpx2.AsyncClient(
            proxy=config.proxy,
            trust_env=not config.proxy and not local,
            timeout=timeout,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20),
            follow_redirects=False,
        )
    except (ValueError, ImportError, httpx2.InvalidURL):
        raise ConfigError(
            f"{faults.section}.proxy, or a proxy variable of the environment, can not be used",
            remedy="Write the proxy as http://host:port.",
        ) from None
    return AsyncAnthropic(
        api_key=headers.get("x-api-key", "none"),
        base_url=base,
        max_retries=0,
        timeout=timeout,
        default_headers=headers,
        default_query={**query, **config.extra_query},
        http_client=http,
    )


def split_base(address: str, section: str) -> tuple[str, dict[str, str]]:
    """Return an apiBase without a trailing ``/v1``, which the SDK adds, and its query."""
    try:
        url = httpx2.URL(address.strip())
    except httpx2.InvalidURL:
        url = httpx2.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError(
            f"{section}.apiBase is no http or https address",
            remedy="Write it whole, such as https://api.example.com, or remove it.",
        )
    path = url.path.rstrip("/").removesuffix("/v1")
    return str(url.copy_with(path=path or "/", query=None)).rstrip("/"), dict(url.params)


def _idle(local: bool) -> float:
    """Return how many seconds a server may stay silent."""
    text = os.environ.get(IDLE_VARIABLE, "").strip()
    if not text:
        return _IDLE_LOCAL_S if local else _IDLE_S
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise ConfigError(
            f"{IDLE_VARIABLE} is {text!r}, which is no number of seconds",
            remedy=f"Set it to a number above 0 and at most {_IDLE_MAX_S:g}, or unset it.",
        )
    return min(seconds, _IDLE_MAX_S)


def _is_local(host: str) -> bool:
    name = host.lower().rstrip(".")
    if name in ("localhost", "host.docker.internal") or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_private or address.is_loopback or address.is_link_local
