"""Open the way to a server: a program's pipes, or HTTP through the network guard."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx2
from mcp.client import Transport
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from nanobot.context import Network, PluginContext
from nanobot.errors import ToolError
from nanobot.log import Logger
from nanobot_egress import open_client
from nanobot_egress.resolve import resolve

from nanobot_tool_mcp.config import ServerConfig
from nanobot_tool_mcp.oauth import LoginNeeded, Tokens, provider
from nanobot_tool_mcp.server import Server
from nanobot_tool_mcp.stdio import MAX_LINE, Program, Remarks, inherited, stdio

LOGINS = "logins"
_CONNECT_S = 15.0
_AUTH_STEPS = 20  # httpx2 counts the requests of a login as redirects; the SDK follows few
_PRIVATE_NAMES = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa")


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialer:
    """How to reach one server.

    Args:
        network: What may be reached beside the server itself.
        logins: Folder of the tokens.
        environ: Where the harmless variables come from.
    """

    server: str
    config: ServerConfig
    network: Network
    logins: Path
    log: Logger
    environ: Mapping[str, str]
    auth: httpx2.Auth | None = None

    def __call__(self, remarks: Remarks) -> Transport:
        """Return a transport that connects when it is entered."""
        if self.config.kind == "stdio":
            return stdio(self._program(), remarks, self.log)
        return self._http(remarks)

    def _program(self) -> Program:
        config = self.config
        given = {name: value.reveal() for name, value in config.env.items()}
        return Program(
            argv=(os.path.expanduser(config.command), *config.args),  # noqa: PTH111 - no path yet
            env={**inherited(self.environ), **given},
            cwd=Path(config.cwd).expanduser() if config.cwd else Path.home(),
        )

    @asynccontextmanager
    async def _http(self, remarks: Remarks) -> AsyncIterator[Any]:
        network = await _with_own_host(self.config.url, self.network)
        headers = {name: value.reveal() for name, value in self.config.headers.items()}
        headers["accept-encoding"] = "identity"  # a small body must not turn into a huge one

        def make(
            headers: dict[str, str] | None = headers,
            timeout: httpx2.Timeout | None = None,
            auth: httpx2.Auth | None = None,
        ) -> httpx2.AsyncClient:
            client = open_client(
                network,
                proxy=self.config.proxy or None,
                headers=headers,
                # Streams are silent for hours; calls have deadlines of their own.
                timeout=httpx2.Timeout(_CONNECT_S, read=None),
                auth=auth,
            )
            client.max_redirects = _AUTH_STEPS
            client.event_hooks = {"response": [_Inspector(remarks)]}
            return client

        url, auth = self.config.url, self._auth()
        if self.config.kind == "sse":
            async with sse_client(url, headers, httpx_client_factory=make, auth=auth) as streams:
                yield streams
        else:
            async with (
                make(auth=auth) as client,
                streamable_http_client(
                    url, http_client=client, max_sse_event_size=MAX_LINE
                ) as streams,
            ):
                yield streams

    def _auth(self) -> httpx2.Auth | None:
        if self.config.auth is None or self.auth is not None:
            return self.auth
        tokens = Tokens(self.logins, self.server, self.config)
        if not tokens.present:
            raise LoginNeeded(self.server)
        return provider(self.server, self.config, tokens)


def dialer(server: Server, context: PluginContext, auth: httpx2.Auth | None = None) -> Dialer:
    """Return how to reach a server.

    Args:
        auth: Logs in with a person's help; without it stored tokens are used.
    """
    return Dialer(
        server=server.name,
        config=server.config,
        network=context.network,
        logins=context.data / LOGINS,
        log=context.log,
        environ=os.environ,
        auth=auth,
    )


class _Inspector:
    """Looks at every answer before its body is read."""

    def __init__(self, remarks: Remarks) -> None:
        self._remarks = remarks

    async def __call__(self, response: httpx2.Response) -> None:
        if response.status_code >= 400:
            self._remarks.fault = f"HTTP {response.status_code}"
        if response.status_code == 404 and "mcp-session-id" in response.request.headers:
            self._remarks.session_over = True
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise ToolError("The MCP server sent a compressed body unasked.", kind="bad_answer")
        stream = response.headers.get("content-type", "").lower().startswith("text/event-stream")
        if not stream and isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _Bounded(response.stream)


class _Bounded(httpx2.AsyncByteStream):
    """A body that may not be longer than a message may."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MAX_LINE
        async for piece in self._stream:
            left -= len(piece)
            if left < 0:
                raise ToolError(
                    f"The MCP server's answer is longer than {MAX_LINE // 1024 // 1024} MiB.",
                    kind="too_large",
                )
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _with_own_host(url: str, network: Network) -> Network:
    """Return the network with the server's own host, where the owner wrote a private one.

    An address, or a name that only private networks have, is the owner's own choice. A public name
    that leads to a private address is not: whoever runs its name server chose that.
    """
    host = httpx2.URL(url).host.lower().removesuffix(".")
    own: tuple[str, ...] = ()
    try:
        own = (str(ip_address(host)),)
    except ValueError:
        if "." not in host or host.endswith(_PRIVATE_NAMES):
            try:
                own = await resolve(host)
            except OSError:
                own = ()  # connecting tells
    return replace(network, allowed=(*network.allowed, *own))
