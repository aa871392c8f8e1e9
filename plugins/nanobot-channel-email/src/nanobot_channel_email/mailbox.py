"""A mailbox on an IMAP server: what is new in it, and what becomes of it."""

from __future__ import annotations

import asyncio
import base64
import imaplib
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from nanobot.errors import ConfigError, NanobotError
from nanobot.log import Logger

from nanobot_channel_email.connection import Address, Connection

CONNECT_S = 20.0
CALL_S = 120.0
"""Longest time for one command, however slowly its bytes come."""
IDLE_S = 600.0
"""How long to let the server tell; it may hang up after 30 minutes, routers earlier (RFC 2177)."""
MOST_HEADER = 64 * 1024
TAKEN = "$NanobotTaken"
_PASSING = ("[unavailable]", "[inuse]", "[limit]", "[serverbug]", "too many", "temporar")

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Account:
    """A mailbox and how to get into it.

    Args:
        username: Name of the account.
        password: Its password, to be read once connected.
        mailbox: Name of the mailbox.
        mark: ``\\Seen``, or a keyword in its place.
        section: Path of the settings, for errors.
    """

    address: Address
    username: str
    password: Callable[[], str]
    mailbox: str
    mark: str
    section: str


@dataclass(frozen=True, kw_only=True)
class Disposal:
    """What becomes of a mail that was dealt with.

    Args:
        folder: Where ``move`` moves it.
        expunge: Remove what is deleted at once.
    """

    action: Literal["delete", "move"] | None = None
    folder: str = ""
    expunge: bool = False


class Mailbox:
    """An open mailbox. Every method runs in its thread and ends when the caller is cancelled.

    Attributes:
        validity: The server's UIDVALIDITY: UIDs mean something only together with it (RFC 9051).
    """

    def __init__(self, account: Account, sock: socket.socket, log: Logger) -> None:
        self._account = account
        self._sock = sock
        self._switch = sock.dup()  # still leads to the connection when TLS has taken the socket
        self._log = log
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="imap")
        self._connection: Connection | None = None
        self.validity = ""

    async def _call(self, work: Callable[[Connection], T], extra: float = 0.0) -> T:
        connection = self._connection
        assert connection is not None
        return await self._run(lambda: work(connection), CALL_S + extra)

    async def _run(self, work: Callable[[], T], seconds: float) -> T:
        """Run something in the thread; cut it off when the time is over."""
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(future)
        except asyncio.CancelledError:
            await self._end(future)
            raise
        except TimeoutError:
            await self._end(future)
            raise self._lost(TimeoutError("no answer in time")) from None
        except (imaplib.IMAP4.error, OSError, ValueError) as error:
            raise self._lost(error) from None

    def _lost(self, error: Exception) -> NanobotError:
        where = f"{self._account.address.host}:{self._account.address.port}"
        if isinstance(error, ssl.SSLCertVerificationError):
            return NanobotError(
                f"the certificate of {where} is not trusted: {error.verify_message}; for a server "
                f"of your own set {self._account.section}.tlsCaFile to its authority"
            )
        return NanobotError(f"the connection to {where} failed: {error}")

    async def _end(self, future: asyncio.Future[T]) -> None:
        """Cut the connection, and wait until the thread has noticed."""
        self._cut()
        await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # it is known

    def _cut(self) -> None:
        with suppress(OSError):
            self._switch.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection and end the thread."""
        self._cut()
        if self._connection is not None:
            self._connection.shutdown()
        self._sock.close()
        self._switch.close()
        self._thread.shutdown(wait=True, cancel_futures=True)

    # --- getting in -----------------------------------------------------------------------------

    async def log_in(self) -> None:
        """Protect the connection, log in, and open the mailbox.

        Raises:
            ConfigError: The password or the name of the mailbox is wrong.
        """
        self._connection = await self._run(
            lambda: Connection(self._sock, self._account.address), CALL_S
        )
        await self._call(self._log_in)

    def _log_in(self, connection: Connection) -> None:
        account = self._account
        connection.protect()
        secret = f"\0{account.username}\0{account.password()}".encode()
        try:
            if "AUTH=PLAIN" in connection.capabilities:
                connection.authenticate("PLAIN", lambda challenge: secret)
            else:
                connection.login(_quoted(account.username), account.password())
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            self._refused(str(error))
        _, data = connection.capability()
        connection.capabilities = tuple(data[-1].decode("ascii", "replace").upper().split())
        self._select(connection)

    def _refused(self, answer: str) -> None:
        if any(word in answer.lower() for word in _PASSING):
            raise OSError("it takes no logins at the moment")
        section = self._account.section
        raise ConfigError(
            f"{self._account.address.host} refuses the login of {section}.imapUsername",
            remedy=f"Check {section}.imapPassword and imapUsername. Many providers want an app "
            "password, and IMAP to be switched on.",
        ) from None

    def _select(self, connection: Connection) -> None:
        account = self._account
        kind, _ = connection.select(_encoded(account.mailbox))
        if kind != "OK":
            raise ConfigError(
                f"there is no mailbox {account.mailbox!r}",
                remedy=f"Set {account.section}.imapMailbox to one that exists.",
            )
        self.validity = _text(connection.response("UIDVALIDITY"))
        permanent = _text(connection.response("PERMANENTFLAGS")).lower()
        if permanent and "\\*" not in permanent and account.mark.lower() not in permanent:
            raise ConfigError(
                f"the mailbox {account.mailbox!r} keeps no mark {account.mark}",
                remedy=f"Set {account.section}.markSeen to true, or open another mailbox.",
            )

    # --- what is new ----------------------------------------------------------------------------

    async def new(self) -> list[int]:
        """Return the UIDs of what was not taken yet, in their order."""
        return await self._call(self._new)

    def _new(self, connection: Connection) -> list[int]:
        connection.untagged_responses.clear()
        _checked(connection.noop())
        connection.untagged_responses.clear()
        criteria = ["UNSEEN", "UNDELETED"]
        if self._account.mark != "\\Seen":
            criteria += ["UNKEYWORD", self._account.mark]
        found = _checked(connection.uid("SEARCH", *criteria))
        return sorted({int(word) for line in found if line for word in line.split()})

    async def more(self) -> bool:
        """Tell whether the server announced mail since `new`, which it does not do twice."""
        return await self._call(lambda connection: connection.response("EXISTS")[1] != [None])

    async def wait(self, seconds: float) -> None:
        """Let the server tell when there is more; returns after so many seconds at the latest."""
        await self._call(lambda connection: connection.wait_for_news(seconds), seconds)

    @property
    def can_idle(self) -> bool:
        """Tell whether `wait` works."""
        return self._connection is not None and self._connection.can_idle

    # --- one mail -------------------------------------------------------------------------------

    async def head(self, uid: int) -> tuple[int, bytes] | None:
        """Return a mail's size and its headers; None when it is gone."""
        return await self._call(
            lambda connection: _fetched(connection, uid, f"BODY.PEEK[HEADER]<0.{MOST_HEADER}>")
        )

    async def whole(self, uid: int, limit: int) -> bytes | None:
        """Return the first so many bytes of a mail; None when it is gone."""
        found = await self._call(
            lambda connection: _fetched(connection, uid, f"BODY.PEEK[]<0.{limit}>")
        )
        return found and found[1]

    async def mark(self, uid: int) -> None:
        """Mark a mail as taken."""
        flags = f"({self._account.mark})"
        await self._call(
            lambda connection: _checked(connection.uid("STORE", str(uid), "+FLAGS.SILENT", flags))
        )

    async def dispose(self, uid: int, disposal: Disposal) -> None:
        """Delete or move a mail that was marked; what the server refuses is left as it is."""
        if disposal.action:
            await self._call(lambda connection: self._dispose(connection, uid, disposal))

    def _dispose(self, connection: Connection, uid: int, disposal: Disposal) -> None:
        try:
            expunge = disposal.expunge
            if disposal.action == "move":
                if self._moved(connection, uid, _encoded(disposal.folder)):
                    return
                expunge = True
            _checked(connection.uid("STORE", str(uid), "+FLAGS.SILENT", "(\\Deleted)"))
            if expunge and "UIDPLUS" in connection.capabilities:
                # A plain EXPUNGE would remove what others have marked.
                _checked(connection.uid("EXPUNGE", str(uid)))
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            self._log.warning("post_action_failed", action=disposal.action, reason=str(error))

    @staticmethod
    def _moved(connection: Connection, uid: int, folder: str) -> bool:
        """Move a mail (RFC 6851) or copy it; False when the original is still there."""
        moves = "MOVE" in connection.capabilities
        verb = "MOVE" if moves else "COPY"
        kind, data = connection.uid(verb, str(uid), folder)
        if kind != "OK" and b"TRYCREATE" in b" ".join(each for each in data if each):
            _checked(connection.create(folder))
            kind, data = connection.uid(verb, str(uid), folder)
        _checked((kind, data))
        return moves


@asynccontextmanager
async def open_mailbox(account: Account, log: Logger) -> AsyncIterator[Mailbox]:
    """Connect to a mailbox.

    Raises:
        ConfigError: It can not be opened with these settings.
        NanobotError: The server can not be reached, or is not who it should be.
    """
    address = account.address
    try:
        async with asyncio.timeout(CONNECT_S):
            sock = await _connected(address.host, address.port)
    except OSError as error:
        reason = error.strerror or "no answer"
        raise NanobotError(f"{address.host}:{address.port} can not be reached: {reason}") from None
    mailbox = Mailbox(account, sock, log)
    try:
        await mailbox.log_in()
        yield mailbox
    finally:
        mailbox.close()


async def _connected(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    failure: OSError = OSError("it has no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


# --- the protocol's little forms ----------------------------------------------------------------


def _checked(answer: tuple[str, list[Any]]) -> list[Any]:
    kind, data = answer
    if kind != "OK":
        raise imaplib.IMAP4.error(_text(answer)[:200])
    return data


def _text(answer: tuple[str, list[Any]]) -> str:
    last = answer[1][-1] if answer[1] else None
    return last.decode("utf-8", "replace") if isinstance(last, bytes) else ""


def _fetched(connection: Connection, uid: int, item: str) -> tuple[int, bytes] | None:
    """Fetch the size and one item of a mail."""
    data = _checked(connection.uid("FETCH", str(uid), f"(UID RFC822.SIZE {item})"))
    said, content = b"", b""
    for place, each in enumerate(data):
        if isinstance(each, tuple):
            rest = data[place + 1] if place + 1 < len(data) else b""
            line = each[0] + b" " + (rest if isinstance(rest, bytes) else b"")
            found = re.search(rb"\bUID (\d+)", line)
            if found and int(found[1]) == uid:
                said, content = line, each[1]
        elif each and not said and re.search(rb"\bUID %d\b.*BODY" % uid, each):
            said = each  # nothing to send: no literal
    if not said:
        return None
    size = re.search(rb"RFC822\.SIZE (\d+)", said)
    return int(size[1]) if size else len(content), content


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _encoded(mailbox: str) -> str:
    """Return a mailbox's name in the modified UTF-7 of RFC 3501, quoted."""

    def shift(found: re.Match[str]) -> str:
        run = base64.b64encode(found[0].encode("utf-16-be")).decode("ascii")
        return "&" + run.rstrip("=").replace("/", ",") + "-"

    return _quoted(re.sub(r"[^\x20-\x7e]+", shift, mailbox.replace("&", "&-")))
