"""The channel's section of the configuration."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Self
from urllib.parse import urlsplit

from nanobot.config import ConfigModel, Secret
from nanobot_gateway.config import ChannelConfig, Ids
from pydantic import AfterValidator, Field, field_validator, model_validator

WILDCARDS = {"", "0.0.0.0", "::", "0"}  # noqa: S104 - recognised, not bound
_ROUTING_HEADERS = {"host", "forwarded", "x-real-ip", "cf-connecting-ip"}
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine for itself."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _route(value: str) -> str:
    """Return a path of a URL without a slash at its end."""
    if not value.startswith("/") or value.startswith("//") or set(value) & set("?# \t\r\n"):
        raise ValueError("must be a path that starts with one '/', without query and fragment")
    return value.rstrip("/") or "/"


Route = Annotated[str, AfterValidator(_route)]


class TrustedProxy(ConfigModel):
    """A reverse proxy that has checked who asks, and says so in a header."""

    trusted_peer_cidrs: tuple[str, ...] = Field(
        min_length=1, description="Networks that the proxy connects from, such as `10.0.0.5/32`."
    )
    assertion_header: str = Field(
        description="Header that the proxy sets for whom it let in, and removes from all others."
    )

    @field_validator("trusted_peer_cidrs")
    @classmethod
    def _narrow(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            network = ipaddress.ip_network(value, strict=False)
            if network.prefixlen == 0:
                raise ValueError(f"{value} covers every address; name the proxy's own")
            if isinstance(network, ipaddress.IPv6Network) and network.supernet_of(_MAPPED):
                raise ValueError(f"{value} covers every IPv4 address; name the proxy's own")
        return values

    @field_validator("assertion_header")
    @classmethod
    def _own(cls, value: str) -> str:
        name = value.lower()
        if not _HEADER_NAME.fullmatch(value):
            raise ValueError("must be the name of an HTTP header")
        if name in _ROUTING_HEADERS or name.startswith("x-forwarded-"):
            raise ValueError(f"{value} says where a request came from, not that it was let in")
        return value


class WebSocketConfig(ChannelConfig):
    """Where clients connect, and what they must show."""

    allow_from: Ids = Field(
        default=("*",), description="Values of `client_id` that may connect; `*` for all."
    )
    owners: Ids = Field(
        default=("*",), description="Values of `client_id` that may use commands for owners."
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8765, ge=0, le=65535, description="Port; 0 takes a free one.")
    unix_socket_path: str = Field(
        default="", description="Absolute path of a Unix socket in place of host and port."
    )
    path: Route = Field(default="/", description="Path of the URL that clients connect to.")
    public_ws_url: str = Field(
        default="", description="The exact `ws://` or `wss://` URL by which clients connect."
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="Further host names by which clients reach this server."
    )
    allowed_origins: tuple[str, ...] = Field(
        default=(), description="Origins of web pages from elsewhere that may connect."
    )
    token: Secret | None = Field(default=None, description="Secret that clients show.")
    token_issue_path: Route | None = Field(
        default=None, description="Path at which one-time tokens are issued."
    )
    token_issue_secret: Secret | None = Field(
        default=None, description="Secret for getting one-time tokens; without it, `token` is."
    )
    trusted_proxy_auth: TrustedProxy | None = Field(
        default=None, description="A reverse proxy that decides who may connect."
    )
    token_ttl_s: int = Field(
        default=300, ge=30, le=86400, description="Seconds that an issued token is valid."
    )
    websocket_requires_token: bool = Field(
        default=True, description="`false` lets in whoever reaches the port."
    )
    max_message_bytes: int = Field(
        default=36 * 2**20, ge=1024, le=40 * 2**20, description="Largest frame from a client."
    )
    max_queue_bytes: int = Field(
        default=2**20,
        ge=2**16,
        le=2**28,
        description="What may wait for a slow client before it is disconnected.",
    )
    ping_interval_s: float = Field(
        default=20, ge=5, le=300, description="Seconds between two pings."
    )
    ping_timeout_s: float = Field(
        default=20, ge=5, le=300, description="Seconds to wait for the answer to a ping."
    )
    ssl_certfile: str = Field(default="", description="Certificate chain for TLS, as PEM.")
    ssl_keyfile: str = Field(default="", description="Private key for TLS, as PEM.")

    @field_validator("token_issue_path", mode="before")
    @classmethod
    def _no_path(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("unix_socket_path")
    @classmethod
    def _absolute(cls, value: str) -> str:
        if value and (not value.startswith("/") or "\0" in value):
            raise ValueError("must be an absolute path")
        return value

    @field_validator("public_ws_url")
    @classmethod
    def _public(cls, value: str) -> str:
        if value:
            url = urlsplit(value)
            if url.scheme not in ("ws", "wss") or not url.hostname:
                raise ValueError("must start with ws:// or wss:// and name a host")
            if url.username is not None or "?" in value or "#" in value:
                raise ValueError("must not hold credentials, a query or a fragment")
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            url = urlsplit(value)
            if not url.scheme or not url.netloc or url.path or url.query or url.username:
                raise ValueError("must be origins such as https://chat.example.org, without path")
        return tuple(value.lower() for value in values)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        guarded = self.token or self.token_issue_secret or self.trusted_proxy_auth
        if not (guarded or self.unix_socket_path or is_loopback(self.host)):
            raise ValueError(
                f"host {self.host} lets other machines connect: "
                "set token, tokenIssueSecret or trustedProxyAuth, or host 127.0.0.1"
            )
        if bool(self.ssl_certfile) != bool(self.ssl_keyfile):
            raise ValueError("sslCertfile and sslKeyfile go together: set both or neither")
        if self.token_issue_path == self.path:
            raise ValueError("tokenIssuePath must differ from path")
        public = self.public_ws_url and (urlsplit(self.public_ws_url).path.rstrip("/") or "/")
        if public and public != self.path:
            raise ValueError(f"the path of publicWsUrl must be path, {self.path}")
        return self
