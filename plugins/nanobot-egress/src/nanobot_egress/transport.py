"""The transports: every connection goes to an address that the guard returned."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic

import httpcore2
import httpx2
from httpcore2 import SOCKET_OPTION
from nanobot.errors import ConfigError, ToolError

from nanobot_egress.guard import Guard
from nanobot_egress.urls import host_of, origin_of

_MOST_TRIES = 6
_ORIGIN = "nanobot_origin"
_KEPT_ACROSS_ORIGINS = frozenset(
    {"accept", "accept-encoding", "accept-language", "connection", "host", "user-agent"}
)


class Dialer(httpcore2.AsyncNetworkBackend):
    """Opens connections to addresses that the guard returned, and to nothing else."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first checked address that answers; TLS goes on with the name."""
        *others, last = (await self._guard.addresses(host))[:_MOST_TRIES]
        ends = None if timeout is None else monotonic() + timeout
        for number, address in enumerate(others):
            share = None if ends is None else (ends - monotonic()) / (len(others) - number + 1)
            with suppress(httpcore2.ConnectError, httpcore2.ConnectTimeout):
                return await self._inner.connect_tcp(
                    address, port, timeout=share, socket_options=socket_options
                )
        left = None if ends is None else max(ends - monotonic(), 0.0)
        return await self._inner.connect_tcp(
            last, port, timeout=left, socket_options=socket_options
        )

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Refuse: tools reach no local sockets."""
        raise httpcore2.UnsupportedProtocol("local sockets can not be reached")

    async def sleep(self, seconds: float) -> None:
        """Wait, for the pool's retries."""
        await self._inner.sleep(seconds)


class DirectTransport(httpx2.AsyncBaseTransport):
    """Sends requests over connections of a `Dialer`.

    httpx2's own transport does not let the network backend be chosen.
    """

    def __init__(self, guard: Guard, tls: ssl.SSLContext) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=100,
            max_keepalive_connections=10,
            keepalive_expiry=15.0,
            network_backend=Dialer(guard),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request."""
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        sent = httpcore2.Request(
            method=request.method,
            url=httpcore2.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _as_httpx():
            response = await self._pool.handle_async_request(sent)
        return httpx2.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Checks every request, redirected ones too, before it goes out.

    A request that was redirected to another origin loses all headers but harmless ones, whatever
    their names: a vendor's key may be in any of them.

    Args:
        guard: Decides.
        proxy: URL of a proxy that resolves names and opens the connections.
        tls: Which certificates to trust; the system's when None. `load_tls` reads those.
        max_bytes: Longest body of an answer, before it is decoded; None for no limit.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        proxy: str | None = None,
        tls: ssl.SSLContext | None = None,
        max_bytes: int | None = None,
    ) -> None:
        tls = tls or httpx2.create_ssl_context()
        self._guard = guard
        self._proxied = proxy is not None
        self._max_bytes = max_bytes
        self._inner: httpx2.AsyncBaseTransport = (
            DirectTransport(guard, tls) if proxy is None else _proxied(proxy, tls)
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; raises BlockedAddress, ToolError, or an httpx2 error."""
        if self._proxied:
            await self._guard.check_for_proxy(request.url)
        else:
            host_of(request.url)
        _keep_secrets_home(request)
        if self._max_bytes is not None:
            request.headers["accept-encoding"] = "identity"
        response = await self._inner.handle_async_request(request)
        if self._max_bytes is None:
            return response
        try:
            return _limited(response, self._max_bytes)
        except ToolError:
            await response.aclose()
            raise

    async def aclose(self) -> None:
        """Close all connections."""
        await self._inner.aclose()


def _proxied(proxy: str, tls: ssl.SSLContext) -> httpx2.AsyncBaseTransport:
    return httpx2.AsyncHTTPTransport(proxy=read_proxy(proxy), verify=tls, trust_env=False)


def read_proxy(url: str) -> httpx2.Proxy:
    """Return a proxy; raises ConfigError, without the URL, which may hold a password."""
    try:
        return httpx2.Proxy(url)
    except (ValueError, httpx2.InvalidURL):
        raise ConfigError(
            "The proxy's URL can not be used.",
            remedy="Write it as http://host:port, https://host:port or socks5://host:port.",
        ) from None


def _keep_secrets_home(request: httpx2.Request) -> None:
    first = request.extensions.setdefault(_ORIGIN, origin_of(request.url))
    here = origin_of(request.url)
    if here in (first, first.replace("http://", "https://", 1)):
        return
    if request.method not in ("GET", "HEAD"):
        raise ToolError(
            f"{first} wants the request sent to {here} instead; a body is not sent on.",
            kind="redirected",
            target=here,
        )
    for name in list(request.headers):
        if name not in _KEPT_ACROSS_ORIGINS:
            del request.headers[name]


def _limited(response: httpx2.Response, most: int) -> httpx2.Response:
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise ToolError("The server sent a compressed body unasked.", kind="bad_answer")
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    response.stream = _Limited(response.stream, most)
    return response


class _Limited(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, most: int) -> None:
        self._stream = stream
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._most
        async for piece in self._stream:
            left -= len(piece)
            if left < 0:
                raise ToolError(f"The answer is longer than {self._most} bytes.", kind="too_large")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Body(httpx2.AsyncByteStream):
    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx():
            async for piece in self._response.aiter_stream():
                yield piece

    async def aclose(self) -> None:
        await self._response.aclose()


@contextmanager
def _as_httpx() -> Iterator[None]:
    """Turn httpcore2's errors into httpx2's, which have the same names."""
    try:
        yield
    except (
        httpcore2.TimeoutException,
        httpcore2.NetworkError,
        httpcore2.ProtocolError,
        httpcore2.ProxyError,
        httpcore2.UnsupportedProtocol,
    ) as error:
        raise getattr(httpx2, type(error).__name__)(str(error)) from error
