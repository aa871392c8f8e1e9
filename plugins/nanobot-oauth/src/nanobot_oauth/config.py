"""What the section of a provider with a login has."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from urllib.parse import urlsplit

from nanobot.config import ProviderConfig
from nanobot.errors import ConfigError
from pydantic import Field

from nanobot_oauth.specs import Login


class OAuthConfig(ProviderConfig):
    """The section of a provider that is used with a login in place of a key."""

    issuer: str | None = Field(
        default=None, description="Base URL of the OAuth issuer in place of the vendor's own."
    )
    client_id: str | None = Field(
        default=None, description="OAuth client id in place of the one that is built in."
    )


def configured(login: Login, config: OAuthConfig, section: str) -> Login:
    """Return a login as a section wants it.

    Args:
        section: Where the configuration is, for messages.

    Raises:
        ConfigError: The issuer is no https address; only this machine may do without TLS.
    """
    issuer = (config.issuer or login.issuer).strip().rstrip("/")
    try:
        parts = urlsplit(issuer)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))):
        raise ConfigError(
            f"{section}.issuer is no https address",
            remedy="Write it whole, such as https://auth.example.com, or remove it.",
        )
    return replace(login, issuer=issuer, client_id=config.client_id or login.client_id)


def section_of(provider: str) -> str:
    """Return where the section of a provider is, such as ``providers.openaiCodex``."""
    first, *rest = provider.split("_")
    return f"providers.{first}{''.join(word.capitalize() for word in rest)}"


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
