"""An HTTP API of a vendor: what search engines and remote readers share."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import ClassVar, Self

import httpx2
from nanobot.config import Secret
from nanobot.context import PluginContext
from nanobot.errors import ToolError
from nanobot.log import remember_secret
from nanobot_egress import load_tls, open_vendor_client, origin_of, read_body

from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Access

MAX_ANSWER = 4_000_000
_PATIENCE_S = 2.0
_TIMEOUT = httpx2.Timeout(None, connect=10.0)  # who asks sets a deadline for all of it


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """A request.

    Args:
        path: Path below the base URL.
        params: The query string.
        headers: Beside those that HTTP needs.
        body: Sent as JSON; None sends nothing.
        form: Sent as a form; None sends nothing.
    """

    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Mapping[str, object] | None = None
    form: Mapping[str, str] | None = None


class Api:
    """A vendor's API; subclass it, and open it with ``async with``.

    It is asked once, and once more after a short wait when it says that it is asked too often.

    Attributes:
        title: What people call it.
        base_url: Where it is; empty when the owner must say.
        base_env: Environment variable that says where it is, when the owner must.
        env_keys: Environment variables that hold its key, the first that is set wins.
        needs_key: False when it can be asked without one.
    """

    title: ClassVar[str]
    base_url: ClassVar[str] = ""
    base_env: ClassVar[str] = ""
    env_keys: ClassVar[tuple[str, ...]] = ()
    needs_key: ClassVar[bool] = True

    def __init__(self, config: EngineConfig, context: PluginContext) -> None:
        self.context = context
        self._config = config
        self._clients: dict[tuple[str, str | None], httpx2.AsyncClient] = {}
        self._closing = AsyncExitStack()
        self._tls: ssl.SSLContext | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._closing.aclose()

    # --- what a vendor may say of itself --------------------------------------------------------

    def refuses_key(self, status: int, body: bytes) -> bool:
        """Tell whether an answer means that the key is wrong."""
        return status in (401, 403)

    def is_limited(self, status: int, body: bytes) -> bool:
        """Tell whether an answer means that it is asked too often."""
        return status == 429

    def hint(self, status: int, body: bytes) -> str:
        """Return what to do about a failure that this vendor is known for, empty if nothing."""
        return ""

    # --- asking ---------------------------------------------------------------------------------

    def key(self, access: Access) -> str:
        """Return the key: of its own section, of ``access``, or of the environment.

        Raises:
            ToolError: kind ``no_key``.
        """
        for secret in (self._config.api_key, access.api_key):
            if isinstance(secret, Secret) and secret.reveal():
                return secret.reveal()
        for variable in self.env_keys:
            value = os.environ.get(variable, "").strip()
            if value:
                remember_secret(value)
                return value
        if self.needs_key:
            raise ToolError(f"{self.title} needs an API key: {self._key_place()}.", kind="no_key")
        return ""

    async def call(self, ask: Ask, access: Access) -> bytes:
        """Return the body of a good answer; the caller sets the deadline.

        Raises:
            ToolError: kind ``unauthorized``, ``quota``, ``rate_limited``, ``unavailable``,
                ``timeout`` or ``bad_answer``.
        """
        try:
            return await self._send(ask, access, again=True)
        except httpx2.TimeoutException:
            raise self.too_slow() from None
        except httpx2.HTTPError:
            raise ToolError(
                f"The connection to {self.title} ({origin_of(self._base(access))}) failed.",
                kind="unavailable",
                retryable=True,
            ) from None

    def too_slow(self) -> ToolError:
        """Return the error of an answer that does not come."""
        return ToolError(f"{self.title} did not answer in time.", kind="timeout", retryable=True)

    def bad_answer(self) -> ToolError:
        """Return the error of an answer that is not what the vendor promises."""
        return ToolError(f"{self.title} sent an answer that can not be read.", kind="bad_answer")

    # --- private --------------------------------------------------------------------------------

    def _base(self, access: Access) -> str:
        base = self._config.base_url or access.base_url or self.base_url
        base = base or os.environ.get(self.base_env, "").strip()
        if not base:
            variable = f" or {self.base_env}" if self.base_env else ""
            raise ToolError(
                f"{self.title} needs an address: set {self.context.id}.baseUrl{variable}.",
                kind="no_key",
            )
        return base.rstrip("/")

    def _key_place(self) -> str:
        variables = " or ".join(self.env_keys)
        return f"set {self.context.id}.apiKey" + (f" or {variables}" if variables else "")

    async def _client(self, access: Access) -> httpx2.AsyncClient:
        place = (self._base(access), self._config.proxy or access.proxy)
        if self._tls is None:
            self._tls = await load_tls()
        if place not in self._clients:
            client = open_vendor_client(place[0], proxy=place[1], timeout=_TIMEOUT, tls=self._tls)
            self._closing.push_async_callback(client.aclose)
            self._clients[place] = client
        return self._clients[place]

    async def _send(self, ask: Ask, access: Access, *, again: bool) -> bytes:
        client = await self._client(access)
        request = client.build_request(
            "GET" if ask.body is None and ask.form is None else "POST",
            ask.path,
            params=ask.params or None,
            headers=ask.headers,
            json=ask.body,
            data=ask.form,
        )
        response = await client.send(request, stream=True)
        async with aclosing(response):
            body, cut = await read_body(response, MAX_ANSWER)
        status = response.status_code
        if cut:
            raise self.bad_answer()
        if status == 200:
            return body
        wait = self._wait(response)
        if again and wait <= _PATIENCE_S and self.is_limited(status, body):
            await self.context.clock.sleep(wait)
            return await self._send(ask, access, again=False)
        raise self._failure(status, body, wait)

    def _failure(self, status: int, body: bytes, wait: float) -> ToolError:
        hint = self.hint(status, body)
        if self.refuses_key(status, body):
            hint = hint or f"Check it: {self._key_place()}."
            return ToolError(
                f"{self.title} refuses the request (HTTP {status}). {hint}", kind="unauthorized"
            )
        if self.is_limited(status, body):
            words, kind = f"is asked too often; try again in {wait:.0f} s.", "rate_limited"
        elif status == 402:
            words, kind = "says that the account has no credit left.", "quota"
        else:
            words = f"answered with HTTP {status}."
            kind = "unavailable" if status >= 500 else "bad_answer"
        return ToolError(
            f"{self.title} {words} {hint}".rstrip(),
            kind=kind,
            retryable=kind in ("rate_limited", "unavailable"),
        )

    def _wait(self, response: httpx2.Response) -> float:
        """Return the seconds that an answer asks to wait (RFC 9110, 10.2.3), 1 if it does not."""
        value = response.headers.get("retry-after", "").strip()
        if value.isdigit():
            return float(value)
        try:
            return max((parsedate_to_datetime(value) - self.context.clock.now()).total_seconds(), 0)
        except (ValueError, TypeError):
            return 1.0
