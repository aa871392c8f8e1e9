"""How one signs in with a vendor, as data; importable where nothing else may be imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

OPTION = "login"
"""Where a `nanobot.specs.ProviderSpec` keeps its `Login`: ``options[OPTION]``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """A vendor's OAuth issuer, and what it wants to be told.

    The client is a public one (RFC 8252): it has no secret.

    Args:
        issuer: Base URL of the issuer; https, or http on this machine.
        client_id: The client as the issuer knows it.
        scopes: What to ask for.
        token_path: Path of the token endpoint below the issuer.
        authorize_path: Path of the page where the user agrees; empty without a browser flow.
        device_path: Path of the device endpoint (RFC 8628); empty without a device flow.
        redirect: Where the browser is sent back to; without a port, any free one is taken.
        fields: More query parameters for the page where the user agrees.
        callback_origin: Web origin whose pages may call the redirect address by script.
        lifetime_s: How long a token lasts whose lifetime the issuer does not tell; None for ever.
    """

    issuer: str
    client_id: str
    token_path: str
    scopes: tuple[str, ...] = ()
    authorize_path: str = ""
    device_path: str = ""
    redirect: str = "http://127.0.0.1/callback"
    fields: Mapping[str, str] = field(default_factory=dict)
    callback_origin: str = ""
    lifetime_s: float | None = 3600.0

    @property
    def ways(self) -> tuple[str, ...]:
        """Return the ways to sign in, the preferred one first."""
        browser = ("browser", "paste") if self.authorize_path else ()
        return (*browser, *(("device",) if self.device_path else ()))
