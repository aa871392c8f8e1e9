"""The page of this machine that a browser comes back to after a login."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from mcp.client.auth import AuthorizationCodeResult
from nanobot.errors import ToolError

Came = asyncio.Queue[AuthorizationCodeResult | ToolError]
PATH = "/callback"
_REQUEST_S = 10.0
_PAGE = b"<!doctype html><title>nanobot</title><p>%s You can close this page.</p>"


@dataclass(frozen=True, kw_only=True, slots=True)
class Callback:
    """Where the browser comes back to.

    Args:
        wait: Waits until it does; raises ToolError when the login was refused.
    """

    url: str
    wait: Callable[[], Awaitable[AuthorizationCodeResult]]


@asynccontextmanager
async def listening(port: int) -> AsyncIterator[Callback]:
    """Serve the page on the loopback address.

    Raises:
        OSError: The port is taken.
    """
    came: Came = asyncio.Queue(maxsize=1)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_S):
                line = (await reader.readline()).decode("ascii", "replace").split(" ")
                status, words = _answer(line[1] if len(line) == 3 else "", came)
                page = _PAGE % words
                head = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
                writer.write(head.encode() + page)
                await writer.drain()
        except (OSError, ValueError, TimeoutError):
            return  # whoever this was, the login waits for the browser
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    async with server:
        bound = server.sockets[0].getsockname()[1]

        async def wait() -> AuthorizationCodeResult:
            result = await came.get()
            if isinstance(result, ToolError):
                raise result
            return result

        yield Callback(url=f"http://127.0.0.1:{bound}{PATH}", wait=wait)


def _answer(target: str, came: Came) -> tuple[str, bytes]:
    url = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    if url.path != PATH or not query.keys() & {"code", "error"}:
        return "404 Not Found", b"There is nothing here."
    result: AuthorizationCodeResult | ToolError
    if "code" in query:
        known = {key: query.get(key) for key in ("code", "state", "iss")}
        result, words = AuthorizationCodeResult.model_validate(known), b"Logged in."
    else:
        result = ToolError(f"The login was refused: {query['error'][:100]}.")
        words = b"The login was refused."
    with suppress(asyncio.QueueFull):
        came.put_nowait(result)
    return "200 OK", words
