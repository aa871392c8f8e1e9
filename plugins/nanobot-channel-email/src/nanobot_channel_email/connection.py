"""An IMAP connection: the standard library's client with deadlines, limits, TLS and IDLE.

It blocks; `nanobot_channel_email.mailbox` runs it in a thread of its own.
"""

from __future__ import annotations

import imaplib
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic
from typing import cast

READ_S = 30.0
"""Longest silence of a server that has something to say."""
MOST_LINE = 4 * 1024 * 1024
MOST_LITERAL = 128 * 1024 * 1024
_CHUNK = 64 * 1024


class Encryption(StrEnum):
    """How a connection is protected; there is no way from one to a lesser one."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a server is and how to speak to it."""

    host: str
    port: int
    encryption: Encryption
    tls: ssl.SSLContext


class Connection(imaplib.IMAP4):
    """An IMAP connection over a socket that is connected already.

    Args:
        sock: The connected socket; the connection closes it.
    """

    def __init__(self, sock: socket.socket, address: Address) -> None:
        self._address = address
        self._ready_socket = sock
        self._buffer = bytearray()
        self._idles = 0
        super().__init__(address.host, address.port)

    # --- the stream, as imaplib lets it be replaced ---------------------------------------------

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:
        """Take the socket over, and speak TLS if that comes first."""
        self.host, self.port = host, port
        self.sock = self._ready_socket
        self.sock.settimeout(READ_S)
        if self._address.encryption is Encryption.TLS:
            self.sock = self._address.tls.wrap_socket(self.sock, server_hostname=host)

    def read(self, size: int) -> bytes:
        """Return exactly so many bytes."""
        if size > MOST_LITERAL:
            raise self.abort(f"the server sends {size} bytes at once")
        while len(self._buffer) < size:
            self._fill()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def readline(self) -> bytes:
        """Return the next line with its end."""
        start = 0
        while (end := self._buffer.find(b"\n", start)) < 0:
            start = len(self._buffer)
            if start > MOST_LINE:
                raise self.abort("the server sends a line without end")
            self._fill()
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        return line

    def _fill(self) -> None:
        data = self.sock.recv(_CHUNK)
        if not data:
            raise self.abort("the server closed the connection")
        self._buffer += data

    def shutdown(self) -> None:
        """Close the socket."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        for name in ("file", "_file"):  # a stream that imaplib made keeps the socket open
            stream = vars(self).pop(name, None)
            if stream is not None:
                stream.close()
        self.sock.close()

    # --- TLS ------------------------------------------------------------------------------------

    def protect(self) -> None:
        """Switch to TLS, where the connection does not begin with it.

        Raises:
            imaplib.IMAP4.error: The server does not offer it, or sent more than it was asked for.
        """
        if self._address.encryption is Encryption.STARTTLS:
            self.starttls(cast("ssl.SSLContext", self))

    def wrap_socket(self, sock: socket.socket, server_hostname: str) -> ssl.SSLSocket:
        """Do what a TLS context does, unless something waits that was said in the clear.

        It would be taken for what was said encrypted.
        """
        if self._buffer:
            raise self.abort("the server sent more than the answer to STARTTLS")
        return self._address.tls.wrap_socket(sock, server_hostname=server_hostname)

    # --- IDLE (RFC 2177) ------------------------------------------------------------------------

    @property
    def can_idle(self) -> bool:
        """Tell whether the server offers IDLE."""
        return "IDLE" in self.capabilities

    def wait_for_news(self, seconds: float) -> None:
        """Wait until the mailbox has new mail, at most so long."""
        self._idles += 1
        tag = b"IDLE%d" % self._idles
        self.send(tag + b" IDLE\r\n")
        news = False
        while not (line := self.readline()).startswith(b"+"):
            self._check(line, tag)
            news = news or _is_news(line)
        until = monotonic() + seconds
        while not news and self._has_line(until):
            line = self.readline()
            self._check(line, tag)
            news = _is_news(line)
        self.send(b"DONE\r\n")
        while not (line := self.readline()).startswith(tag):
            self._check(line, b"")

    def _check(self, line: bytes, tag: bytes) -> None:
        if line.upper().startswith(b"* BYE") or (tag and line.startswith(tag)):
            raise self.abort(f"IDLE ended: {line[:100]!r}")

    def _has_line(self, until: float) -> bool:
        """Wait for a whole line; False when the time is over."""
        try:
            while b"\n" not in self._buffer:
                left = until - monotonic()
                if left <= 0:
                    return False
                self.sock.settimeout(left)
                self._fill()
        except TimeoutError:
            return False
        finally:
            self.sock.settimeout(READ_S)
        return True


def _is_news(line: bytes) -> bool:
    return line.rstrip().upper().endswith((b"EXISTS", b"RECENT"))
