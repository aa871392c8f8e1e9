"""Log in to servers by OAuth 2.1, with what the SDK brings; this keeps the tokens."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from nanobot.errors import ToolError
from nanobot.log import remember_secret
from nanobot.paths import write_private
from pydantic import AnyUrl, BaseModel, ValidationError

from nanobot_tool_mcp.config import ServerConfig
from nanobot_tool_mcp.pins import file_name, identity

Model = TypeVar("Model", bound=BaseModel)
UNUSED_CALLBACK = "http://127.0.0.1/callback"


class LoginNeeded(ToolError):
    """Report a server that somebody has to log in to."""

    kind = "login_needed"

    def __init__(self, server: str) -> None:
        super().__init__(
            f"The MCP server {server!r} wants somebody to log in. The owner can do that with: "
            f"nanobot mcp login {server}"
        )


class Tokens:
    """The tokens of one server, in a file of mode 0600; implements the SDK's `TokenStorage`.

    Tokens that were given for another address are not used.

    Args:
        keep: False to hold them in memory until `save`, so that a login that fails loses nothing.
    """

    def __init__(
        self, folder: Path, server: str, config: ServerConfig, *, keep: bool = True
    ) -> None:
        self._path = folder / file_name(server)
        self._config = config
        self._keep = keep
        self._data = self._load() if keep else {}

    @property
    def present(self) -> bool:
        """Tell whether somebody has logged in."""
        return "tokens" in self._data

    @property
    def expires_at(self) -> float | None:
        """Return when the access token expires, in seconds since the epoch."""
        value = self._data.get("expires_at")
        return float(value) if isinstance(value, int | float) else None

    async def get_tokens(self) -> OAuthToken | None:
        """Return the stored tokens."""
        return _parsed(OAuthToken, self._data.get("tokens"))

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Store new tokens."""
        for secret in (tokens.access_token, tokens.refresh_token):
            remember_secret(secret or "")
        self._data["tokens"] = tokens.model_dump(mode="json", exclude_none=True)
        self._data.pop("expires_at", None)
        if tokens.expires_in is not None:
            self._data["expires_at"] = time.time() + tokens.expires_in
        self._changed()

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """Return the client: the configured one, or the one that was registered."""
        if self._config.client_id:
            secret = self._config.client_secret
            return OAuthClientInformationFull(
                client_id=self._config.client_id,
                client_secret=secret.reveal() if secret else None,
                token_endpoint_auth_method="client_secret_basic" if secret else "none",
            )
        return _parsed(OAuthClientInformationFull, self._data.get("client"))

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Store the client that the server has registered."""
        remember_secret(client_info.client_secret or "")
        self._data["client"] = client_info.model_dump(mode="json", exclude_none=True)
        self._changed()

    @property
    def wanted_scope(self) -> str:
        """Return the scopes that the server asked for when what was granted was not enough."""
        return str(self._data.get("wanted_scope", ""))

    def want(self, scope: str) -> None:
        """Remember for the next login what the server asked for."""
        if self._keep:
            self._data["wanted_scope"] = scope
            self.save()

    def save(self) -> None:
        """Write what was held in memory."""
        data = {**self._data, "version": 1, "server": identity(self._config)}
        write_private(self._path, json.dumps(data, indent=1).encode())

    def _changed(self) -> None:
        if self._keep:
            self.save()

    def _load(self) -> dict[str, Any]:
        try:
            data = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        fits = isinstance(data, dict) and data.get("server") == identity(self._config)
        return data if fits else {}


def _parsed(model: type[Model], data: object) -> Model | None:
    try:
        return model.model_validate(data)
    except ValidationError:
        return None


def scope_of(url: str) -> str:
    """Return the scopes that a login page is asked for."""
    return " ".join(parse_qs(urlsplit(url).query).get("scope", []))


def with_scope(url: str, *scopes: str) -> str:
    """Return the address of a login page that is asked for more scopes."""
    parts = urlsplit(url)
    wanted = dict.fromkeys(" ".join((scope_of(url), *scopes)).split())
    query = [pair for pair in parse_qsl(parts.query) if pair[0] != "scope"]
    if wanted:
        query.append(("scope", " ".join(wanted)))
    return urlunsplit(parts._replace(query=urlencode(query)))


def provider(
    server: str,
    config: ServerConfig,
    tokens: Tokens,
    *,
    callback: str = UNUSED_CALLBACK,
    show: Callable[[str], Awaitable[None]] | None = None,
    wait: Callable[[], Awaitable[AuthorizationCodeResult]] | None = None,
) -> OAuthClientProvider:
    """Return what adds the access token to requests, and renews it.

    Args:
        callback: Address that the browser comes back to.
        show: Shows a person the page to log in at; without it a login is an error.
        wait: Waits for the browser to come back.
    """

    async def refuse(url: str) -> None:
        tokens.want(scope_of(url))
        raise LoginNeeded(server)

    async def nobody() -> AuthorizationCodeResult:
        raise LoginNeeded(server)

    metadata = OAuthClientMetadata(
        client_name="nanobot",
        redirect_uris=[AnyUrl(callback)],
        scope=config.scope or None,
    )
    made = OAuthClientProvider(config.url, metadata, tokens, show or refuse, wait or nobody)
    # The SDK does not know when a stored token expires, and would ask for a new login then.
    made.context.token_expiry_time = tokens.expires_at
    return made
