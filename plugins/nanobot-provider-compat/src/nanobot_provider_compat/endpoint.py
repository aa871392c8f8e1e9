"""Where requests go, and over which kind of connection."""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import httpx
from nanobot.config import ProviderConfig
from nanobot.errors import ConfigError
from nanobot.log import remember_secret

from nanobot_provider_compat.vendor import Vendor

IDLE_VARIABLE = "NANOBOT_STREAM_IDLE_TIMEOUT_S"
_CONNECT_S = 10.0
_IDLE_S = 90.0
_IDLE_LOCAL_S = 600.0  # a local server may load a model, or read a long prompt, before it answers
_IDLE_MAX_S = 3600.0
_SECRET_NAME = re.compile(r"auth|key|token|secret|cookie|password|signature", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """An address with everything that each request to it carries.

    Args:
        base: Scheme, host and path, without a slash at its end; may hold a password.
        address: The same without a password, for messages.
        query: Query string for every request, may hold secrets.
        headers: Headers for every request, the key among them.
        has_key: True when some header authorises the request.
        local: True when the host is this machine or a private network.
        idle_s: Seconds that may pass between two pieces of an answer.
        proxy: Proxy URL from the configuration.
    """

    base: str = field(repr=False)
    address: str
    query: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    has_key: bool = False
    local: bool = False
    idle_s: float = _IDLE_S
    proxy: str | None = field(default=None, repr=False)

    def url(self, path: str) -> str:
        """Return the address of a path below the base."""
        return f"{self.base}{path}?{self.query}" if self.query else f"{self.base}{path}"


def resolve(config: ProviderConfig, vendor: Vendor, section: str) -> Endpoint:
    """Work out the endpoint from a configuration section and the vendor's record.

    Args:
        section: Where the configuration is, such as ``providers.deepseek``, for messages.

    Raises:
        ConfigError: There is no usable address, header or time limit.
    """
    given = (config.api_base or vendor.base_url).strip()
    if not given:
        raise ConfigError(
            f"{section}.apiBase is not set, and this provider has no address of its own",
            remedy=f"Set {section}.apiBase to the base URL of the server, such as "
            "http://127.0.0.1:8000/v1.",
        )
    parts = urlsplit(given)
    try:
        host, _ = parts.hostname, parts.port
        httpx.URL(given)
    except (ValueError, httpx.InvalidURL):
        host = None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError(
            f"{section}.apiBase is no http or https address",
            remedy="Write it whole, such as https://api.example.com/v1.",
        )
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    if not path and vendor.local:
        path = urlsplit(vendor.base_url).path.rstrip("/")
    if parts.username or parts.password:
        remember_secret(unquote(parts.password or ""))
    query = {**dict(parse_qsl(parts.query, keep_blank_values=True)), **config.extra_query}
    _remember(query)
    headers = _headers(config, vendor, section)
    local = vendor.local or is_local(host)
    return Endpoint(
        base=urlunsplit((parts.scheme, parts.netloc, path, "", "")),
        address=urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "", "")),
        query=urlencode(query),
        headers=headers,
        has_key=any(name in headers for name in ("authorization", "api-key", "x-api-key"))
        or bool(parts.username or _SECRET_NAME.search(" ".join(query))),
        local=local,
        idle_s=_idle(local),
        proxy=config.proxy,
    )


def is_local(host: str) -> bool:
    """Tell whether a host is this machine or on a private network."""
    name = host.lower().rstrip(".")
    if name in ("localhost", "host.docker.internal") or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_private or address.is_loopback or address.is_link_local


def open_client(endpoint: Endpoint) -> httpx.AsyncClient:
    """Return an HTTP client for an endpoint.

    Raises:
        ValueError: The proxy address is unusable.
        ImportError: The proxy needs a package that is not installed.
    """
    secure = endpoint.base.startswith("https:")
    return httpx.AsyncClient(
        # Reading the CA file takes longer than a local answer; a context without CAs trusts nobody.
        verify=httpx.create_ssl_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        proxy=endpoint.proxy,
        trust_env=endpoint.proxy is None and not endpoint.local,
        follow_redirects=False,
        timeout=httpx.Timeout(endpoint.idle_s, connect=_CONNECT_S, pool=None),
        limits=httpx.Limits(
            max_connections=None,
            max_keepalive_connections=20,
            keepalive_expiry=5.0 if endpoint.local else 30.0,
        ),
    )


def _headers(config: ProviderConfig, vendor: Vendor, section: str) -> dict[str, str]:
    headers = {
        "user-agent": f"nanobot/{version('nanobot-core')}",
        "content-type": "application/json",
        "accept-encoding": "identity",  # a compressed stream arrives in lumps
    }
    headers.update((name.lower(), value) for name, value in vendor.headers.items())
    key = config.api_key.reveal().strip() if config.api_key else ""
    if key:
        remember_secret(key)
        headers["authorization"] = f"Bearer {key}"
    extra = {name.lower().strip(): value.strip() for name, value in config.extra_headers.items()}
    _remember(extra)
    headers.update(extra)
    for name, value in headers.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9a-z-]+", name) or not re.fullmatch(
            r"[\t\x20-\x7e]*", value
        ):
            where = "apiKey" if name == "authorization" and key else f"extraHeaders ({name!r})"
            raise ConfigError(
                f"{section}.{where} has characters that an HTTP header can not carry",
                remedy="Copy the value again; it must be one line of ASCII.",
            )
    return headers


def _remember(values: Mapping[str, str]) -> None:
    for name, value in values.items():
        if _SECRET_NAME.search(name):
            remember_secret(value)


def _idle(local: bool) -> float:
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
