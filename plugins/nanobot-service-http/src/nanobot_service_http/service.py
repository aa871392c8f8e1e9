"""The service: takes the port at once, and loads the HTTP machinery for the first caller."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib import import_module
from typing import Any

from nanobot.errors import ConfigError
from nanobot_gateway.service import Service, ServiceContext

from nanobot_service_http.config import HttpConfig
from nanobot_service_http.door import Bounds, FrontDoor
from nanobot_service_http.mounts import Mounts
from nanobot_service_http.names import Names, bracketed
from nanobot_service_http.pages import Pages
from nanobot_service_http.token import Token, kept_token

_CONNECTIONS_PER_REQUEST = 4


class HttpService:
    """The server, from the taken port to the last answer."""

    def __init__(self, config: HttpConfig, context: ServiceContext) -> None:
        self._config = config
        self._context = context
        self._listeners: Sequence[socket.socket] = ()
        self._token_file = context.data / "token"

    async def listen(self) -> int:
        """Take the port, unless it is taken already, and return it.

        Raises:
            ConfigError: It can not be had.
        """
        if not self._listeners:
            self._listeners = await _listen(self._config.host, self._config.port)
        return int(self._listeners[0].getsockname()[1])

    def close(self) -> None:
        """Give the port back."""
        for listener in self._listeners:
            listener.close()
        self._listeners = ()

    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            port = await self.listen()
            mounts = Mounts(self._context.extensions("web"), self._context.log)
            door = self._door(port, mounts)
            self._announce(port)
            self._context.ready()
            await _knock(self._listeners)
            # Not in a thread: that would cost 2 MB for good, to save a pause of 30 ms once.
            server = import_module("nanobot_service_http.server")
            terms = server.Terms(
                headers_s=min(server.HEADERS_S, self._config.request_timeout_s),
                patience_s=self._config.request_timeout_s,
                connections=_CONNECTIONS_PER_REQUEST * self._config.max_concurrent,
                message=max(self._config.max_body_bytes, mounts.longest_body),
                websocket=mounts.websocket,
            )
            async with server.serving(door, self._listeners, terms, self._context.log):
                await asyncio.get_running_loop().create_future()
        finally:
            self.close()

    def _door(self, port: int, mounts: Mounts) -> FrontDoor:
        config, log = self._config, self._context.log
        answered: Counter[int] = Counter()
        return FrontDoor(
            bounds=Bounds(
                body=config.max_body_bytes,
                timeout_s=config.request_timeout_s,
                concurrent=config.max_concurrent,
            ),
            names=Names(config.host, port, config.allowed_hosts, config.allowed_origins),
            token=Token(config.token) if config.token else kept_token(self._token_file, log),
            mounts=mounts,
            pages=Pages(self._context.health, answered, log),
            answered=answered,
            log=log,
        )

    def _announce(self, port: int) -> None:
        address = f"http://{bracketed(self._config.host)}:{port}"
        where = "gateway.token" if self._config.token else str(self._token_file)
        self._context.log.info("http_listening", address=address, token_in=where)
        hosts = [str(listener.getsockname()[0]) for listener in self._listeners]
        if not all(host == "::1" or host.startswith("127.") for host in hosts):
            self._context.log.warning(
                "http_open_to_network",
                address=address,
                remedy="set gateway.host to 127.0.0.1 unless a firewall or proxy is in front",
            )


@asynccontextmanager
async def open_service(config: HttpConfig, context: ServiceContext) -> AsyncIterator[Service]:
    """Open the service; a port that can not be had is told here."""
    service = HttpService(config, context)
    await service.listen()
    try:
        yield service
    finally:
        service.close()


async def _listen(host: str, port: int) -> Sequence[socket.socket]:
    """Return listening sockets on every address of a host.

    Raises:
        ConfigError: There is none, or another program listens there.
    """
    listeners: list[socket.socket] = []
    lacking = None
    for family, address in await _addresses(host, port):
        try:
            listener = _listener(family, (address[0], port, *address[2:]), both=host == "::")
        except OSError as error:
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                lacking = error  # localhost is ::1 too, where there may be no IPv6
                continue
            for listener in listeners:
                listener.close()
            raise _refused(host, port, error) from None
        listeners.append(listener)
        port = listener.getsockname()[1]
    if lacking and not listeners:
        raise _refused(host, port, lacking)
    return listeners


async def _addresses(host: str, port: int) -> Sequence[tuple[int, tuple[Any, ...]]]:
    """Return the addresses of a host, each with its family."""
    known = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        with suppress(socket.gaierror):  # a name; looking it up needs a thread, as it may take long
            return _once(known(flags=socket.AI_NUMERICHOST))
        return _once(await asyncio.to_thread(known))
    except (OSError, UnicodeError):
        raise ConfigError(f"gateway.host: {host} is not an address of this machine") from None


def _once(found: Iterable[tuple[Any, ...]]) -> Sequence[tuple[int, tuple[Any, ...]]]:
    return list(dict.fromkeys((item[0], item[4]) for item in found))


def _listener(family: int, address: tuple[Any, ...], *, both: bool) -> socket.socket:
    """Return a socket that listens; on IPv6, ``both`` takes callers of IPv4 as well."""
    # With the protocol named, asyncio turns off Nagle for those who call: 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not both)
        listener.bind(address)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def _refused(host: str, port: int, error: OSError) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        return ConfigError(
            f"gateway.port: another program listens on {host} port {port}",
            remedy="Stop it (a second gateway, perhaps), or set gateway.port to another one.",
        )
    if error.errno == errno.EACCES:
        return ConfigError(
            f"gateway.port: {port} may not be used by this user",
            remedy="Set gateway.port to one above 1023.",
        )
    reason = error.strerror or type(error).__name__
    return ConfigError(f"gateway.host: can not listen on {host} port {port}: {reason}")


async def _knock(listeners: Sequence[socket.socket]) -> None:
    """Wait for the first caller, who stays in the queue until the server is there."""
    loop = asyncio.get_running_loop()
    knocked = asyncio.Event()
    for listener in listeners:
        loop.add_reader(listener, knocked.set)
    try:
        await knocked.wait()
    finally:
        for listener in listeners:
            loop.remove_reader(listener)
