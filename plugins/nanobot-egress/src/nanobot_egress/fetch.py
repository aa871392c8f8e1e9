"""Fetches a URL that a model or a message named."""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import unquote

import httpx2
from nanobot.context import PUBLIC_ONLY, Network
from nanobot.errors import ToolError

from nanobot_egress.body import CODINGS, read_body
from nanobot_egress.clients import MAX_REDIRECTS
from nanobot_egress.guard import Guard
from nanobot_egress.resolve import Resolve, resolve
from nanobot_egress.transport import GuardedTransport
from nanobot_egress.urls import origin_of, parse_url

USER_AGENT = "Mozilla/5.0 (compatible; nanobot)"
_CONNECT_S = 15.0
_SEE_OTHER = (301, 302, 303)
_REDIRECTS = (*_SEE_OTHER, 307, 308)
_AMBIGUOUS = re.compile(r"///|[^?#]*\\")  # browsers read another host into these than RFC 3986


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """An answer, whatever its status.

    Args:
        status: HTTP status.
        headers: Names in lower case.
        url: Where the answer came from, after redirects, without user name and password.
        body: Decoded, at most as long as was asked for.
        truncated: The body goes on.
        chain: All URLs that were asked, first to last, as they were named.
    """

    status: int
    headers: Mapping[str, str]
    url: str
    body: bytes = field(repr=False)
    truncated: bool
    chain: tuple[str, ...] = field(repr=False)

    @property
    def media_type(self) -> str:
        """Return the content type without parameters, in lower case; empty when there is none."""
        return media_type(self.headers.get("content-type", ""))


def media_type(content_type: str) -> str:
    """Return a content type without parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


class Egress:
    """Fetches URLs for tools; use as ``async with Egress(context.network) as egress``.

    Nothing is kept from one fetch to the next: no cookie, no password.

    Args:
        network: ``context.network``.
        proxy: URL of a proxy that the owner configured. It resolves the names; see
            `Guard.check_for_proxy`. Proxies of the environment are ignored.
        user_agent: What the browser is called.
        tls: Which certificates to trust; the system's when None. `load_tls` reads those.
        resolve: Looks names up.
    """

    def __init__(
        self,
        network: Network = PUBLIC_ONLY,
        *,
        proxy: str | None = None,
        user_agent: str = USER_AGENT,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve = resolve,
    ) -> None:
        self.guard = Guard(network, resolve=resolve)
        self._transport = GuardedTransport(self.guard, proxy=proxy, tls=tls)
        self._user_agent = user_agent

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._transport.aclose()

    async def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        max_bytes: int = 5_000_000,
        deadline_s: float = 30.0,
        accept: tuple[str, ...] = (),
    ) -> Fetched:
        """Return what a URL gives, after at most five redirects.

        Other origins that it leads to get no password of the URL and no headers but ``Accept``,
        ``Accept-Language`` and ``User-Agent``.

        Args:
            max_bytes: Longest body, decoded; the rest is left unread.
            deadline_s: Seconds for all of it.
            accept: Media types to take, such as ``text/html`` or ``image/``; a good answer of
                another type is refused before its body is read. Empty for any.

        Raises:
            BlockedAddress: An address on the way may not be reached.
            ToolError: kind ``bad_url``, ``unknown_host``, ``unreachable``, ``tls``, ``timeout``,
                ``redirected``, ``unsupported_type`` or ``bad_answer``.
        """
        at = origin_of(url)
        try:
            async with asyncio.timeout(deadline_s):
                request = self._first(parse_url(url), method, headers, body, accept)
                return await self._follow(request, url, max_bytes, accept)
        except TimeoutError:
            raise _timeout(at) from None
        except httpx2.TimeoutException:
            raise _timeout(at) from None
        except httpx2.HTTPError as error:
            raise _translated(error, at) from None

    def _first(
        self,
        url: httpx2.URL,
        method: str,
        headers: Mapping[str, str] | None,
        body: bytes,
        accept: tuple[str, ...],
    ) -> httpx2.Request:
        sent = httpx2.Headers({"user-agent": self._user_agent, "accept": _accept(accept)})
        sent.update(headers or {})
        sent["accept-encoding"] = CODINGS
        if url.userinfo:
            pair = unquote(url.userinfo.decode("ascii"))
            token = base64.b64encode((pair if ":" in pair else f"{pair}:").encode())
            sent["authorization"] = f"Basic {token.decode('ascii')}"
        return httpx2.Request(method, _public(url), headers=sent, content=body or None)

    async def _follow(
        self, request: httpx2.Request, url: str, max_bytes: int, accept: tuple[str, ...]
    ) -> Fetched:
        chain = [url]
        timeout = httpx2.Timeout(None, connect=_CONNECT_S).as_dict()
        while True:
            request.extensions = {**request.extensions, "timeout": timeout}
            response = await self._transport.handle_async_request(request)
            try:
                location = response.headers.get("location", "")
                if response.status_code not in _REDIRECTS or not location:
                    _check_type(response, accept)
                    data, truncated = await read_body(response, max_bytes)
                    return Fetched(
                        status=response.status_code,
                        headers=dict(response.headers),
                        url=str(_public(request.url)),
                        body=data,
                        truncated=truncated,
                        chain=tuple(chain),
                    )
            finally:
                await response.aclose()
            if len(chain) > MAX_REDIRECTS:
                raise ToolError(
                    f"{origin_of(url)} redirects more than {MAX_REDIRECTS} times.",
                    kind="redirected",
                )
            request, named = _redirected(request, response.status_code, location)
            chain.append(named)


def _redirected(request: httpx2.Request, status: int, location: str) -> tuple[httpx2.Request, str]:
    """Return the next request, and its URL as the server named it."""
    if _AMBIGUOUS.match(location):
        raise ToolError("The server redirects to a URL that is not well-formed.", kind="bad_url")
    try:
        url = parse_url(str(request.url.join(location)))
    except (httpx2.InvalidURL, ValueError):
        raise ToolError(
            "The server redirects to a URL that is not well-formed.", kind="bad_url"
        ) from None
    method, content, headers = request.method, request.content, request.headers.copy()
    if status in _SEE_OTHER and method not in ("GET", "HEAD"):
        method, content = "GET", b""
        headers.pop("content-type", None)
    for name in ("host", "content-length", "transfer-encoding"):
        headers.pop(name, None)
    following = httpx2.Request(
        method,
        _public(url),
        headers=headers,
        content=content or None,
        extensions=request.extensions,
    )
    return following, str(url)


def _public(url: httpx2.URL) -> httpx2.URL:
    """Return a URL without user name, password and fragment, its host without the final dot."""
    url = url.copy_with(userinfo=b"", fragment=None)
    return url.copy_with(host=url.host.removesuffix(".")) if url.host.endswith(".") else url


def _accept(types: tuple[str, ...]) -> str:
    return ", ".join(f"{one}*" if one.endswith("/") else one for one in types) or "*/*"


def _check_type(response: httpx2.Response, accept: tuple[str, ...]) -> None:
    kind = media_type(response.headers.get("content-type", ""))
    if not accept or not response.is_success:
        return
    if not any(kind.startswith(one) if one.endswith("/") else kind == one for one in accept):
        raise ToolError(
            f"The server sent {kind or 'something of no known type'}, not {' or '.join(accept)}.",
            kind="unsupported_type",
        )


def _timeout(at: str) -> ToolError:
    return ToolError(f"{at} did not answer in time.", kind="timeout", retryable=True, target=at)


def _translated(error: httpx2.HTTPError, at: str) -> ToolError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            reason = getattr(cause, "verify_message", "") or "the handshake failed"
            return ToolError(f"TLS with {at} failed: {reason}.", kind="tls", target=at)
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx2.ProxyError):
        return ToolError(
            f"The proxy did not connect to {at}.", kind="unreachable", retryable=True, target=at
        )
    if isinstance(error, httpx2.NetworkError):
        return ToolError(
            f"The connection to {at} failed.", kind="unreachable", retryable=True, target=at
        )
    return ToolError(f"{at} sent an answer that is not HTTP.", kind="bad_answer", target=at)
