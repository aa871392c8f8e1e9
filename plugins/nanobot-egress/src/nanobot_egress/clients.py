"""HTTP clients for those who need one: SDKs, and plugins that speak to a vendor."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping

import httpx2
from nanobot.context import Network

from nanobot_egress.body import CODINGS
from nanobot_egress.guard import Guard
from nanobot_egress.resolve import Resolve, resolve
from nanobot_egress.transport import GuardedTransport, read_proxy

MAX_REDIRECTS = 5


def open_client(
    network: Network,
    *,
    proxy: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: httpx2.Timeout | float = 30.0,
    auth: httpx2.Auth | None = None,
    max_bytes: int | None = None,
    tls: ssl.SSLContext | None = None,
    resolve: Resolve = resolve,
) -> httpx2.AsyncClient:
    """Return a client that reaches only what tools may; use as ``async with open_client(...)``.

    It follows up to five redirects, each checked like the first request; at another origin the
    headers given here are not sent. Proxies of the environment are ignored. Beside httpx2's own
    errors its requests raise `BlockedAddress` and other `ToolError`.

    Args:
        network: ``context.network``.
        proxy: URL of a proxy. It resolves the names; see `Guard.check_for_proxy`.
        headers: Sent with every request to the origin that was asked for.
        timeout: Seconds for connecting, and between two pieces of an answer.
        max_bytes: Longest answer; None for no limit, as event streams need.
        tls: Which certificates to trust; the system's when None. `load_tls` reads those.
        resolve: Looks names up.
    """
    guard = Guard(network, resolve=resolve)
    return httpx2.AsyncClient(
        transport=GuardedTransport(guard, proxy=proxy, tls=tls, max_bytes=max_bytes),
        headers=headers,
        timeout=timeout,
        auth=auth,
        follow_redirects=True,
        max_redirects=MAX_REDIRECTS,
        trust_env=False,
    )


def open_vendor_client(
    base_url: str,
    *,
    proxy: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: httpx2.Timeout | float = 30.0,
    tls: ssl.SSLContext | None = None,
) -> httpx2.AsyncClient:
    """Return a client for a vendor's API whose address the owner configured, unguarded.

    Never give it an address that a model, a message or an answer named. It follows no redirect, so
    a key stays with the vendor. Without a proxy of its own the environment's proxies count, as they
    do for model vendors. Read answers with `read_body`.
    """
    return httpx2.AsyncClient(
        base_url=base_url,
        proxy=None if proxy is None else read_proxy(proxy),
        headers={"accept-encoding": CODINGS, **(headers or {})},
        timeout=timeout,
        verify=tls or httpx2.create_ssl_context(),
        trust_env=proxy is None,
    )


async def load_tls() -> ssl.SSLContext:
    """Return a TLS context that trusts the system's certificates.

    Reading them takes some 50 ms, which this spends in a thread; keep the context and hand it on.
    ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name other certificates.
    """
    return await asyncio.to_thread(httpx2.create_ssl_context)
