"""A private Dovecot, an SMTP server, and the people who write mails."""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import os
import pwd
import shutil
import socket
import ssl
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope
from nanobot_testing.contracts.channel import Sent

PASSWORD = "correct-horse"
SERVER = "mx.test"
BOT = "bot@example.org"

DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
default_login_user = {user}
default_internal_user = {user}
default_internal_group = {group}
ssl = yes
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
auth_failure_delay = 0
mail_max_userip_connections = 100
mail_location = maildir:{folder}/mail/%u
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
"""


@dataclass(frozen=True)
class Authority:
    """A certificate authority of the tests, and a certificate for localhost."""

    folder: Path
    ca: trustme.CA

    @property
    def file(self) -> str:
        return str(self.folder / "ca.pem")

    @property
    def server(self) -> ssl.SSLContext:
        return self.context_for("localhost")

    def context_for(self, name: str) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.ca.issue_cert(name).configure_cert(context)
        return context

    @property
    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.file)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    return Authority(folder=folder, ca=ca)


@dataclass(frozen=True)
class Dovecot:
    """A running Dovecot; every user exists, with one password."""

    imap: int
    imaps: int
    log: Path


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture(scope="session")
def dovecot(authority: Authority) -> Iterator[Dovecot]:
    program = shutil.which("dovecot") or shutil.which("/usr/sbin/dovecot")
    if program is None:
        if os.environ.get("NANOBOT_TEST_STRICT") == "1":
            pytest.fail("dovecot is missing: apt-get install dovecot-imapd")
        pytest.skip("dovecot is not installed")
    # It refuses to serve mail as root, and needs folders that its user may enter.
    as_user: dict[str, Any] = {}
    who = pwd.getpwuid(os.getuid())
    if os.getuid() == 0:
        who = pwd.getpwnam("nobody")
        as_user = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}
    with tempfile.TemporaryDirectory(prefix="dovecot-") as name:
        folder = Path(name)
        certificate = authority.ca.issue_cert("localhost")
        certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
        for each in certificate.cert_chain_pems:
            each.write_to_path(str(folder / "cert.pem"), append=True)
        ports = {"imap": _free_port(), "imaps": _free_port()}
        group = subprocess.run(["id", "-gn", who.pw_name], capture_output=True, text=True)
        (folder / "dovecot.conf").write_text(
            DOVECOT.format(
                folder=folder,
                user=who.pw_name,
                group=group.stdout.strip(),
                uid=who.pw_uid,
                gid=who.pw_gid,
                password=PASSWORD,
                **ports,
            )
        )
        for path in (folder, *folder.iterdir()):
            os.chown(path, who.pw_uid, who.pw_gid)
        command = [program, "-F", "-c", str(folder / "dovecot.conf")]
        with subprocess.Popen(command, cwd=folder, **as_user) as process:
            try:
                _until_up(process, ports["imap"])
                yield Dovecot(log=folder / "log", **ports)
            finally:
                process.terminate()


def _until_up(process: subprocess.Popen[bytes], port: int) -> None:
    while True:
        assert process.poll() is None, "dovecot did not start"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as sock:
            assert sock.recv(1000).startswith(b"* OK")
            return


class Wire:
    """A port that leads to another one, and can be cut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Wire]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._tasks.clear()
        try:
            yield self
        finally:
            server.close()
            self.cut()
            if self._tasks:
                await asyncio.wait(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._writers -= {writer, far_writer}

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


@dataclass
class Post:
    """What an SMTP server got: a handler of aiosmtpd."""

    envelopes: list[Envelope] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    logins: list[bytes] = field(default_factory=list)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        if self.refusals:
            return self.refusals.pop(0)
        async with self.news:
            self.envelopes.append(envelope)
            self.news.notify_all()
        return "250 taken"

    def login(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
        self.logins.append(data.login)
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)

    @property
    def mails(self) -> list[EmailMessage]:
        return [
            message_from_bytes(each.content, policy=policy.default)  # type: ignore[misc]
            for each in self.envelopes
        ]

    async def until(self, count: int) -> list[EmailMessage]:
        async with self.news:
            await self.news.wait_for(lambda: len(self.envelopes) >= count)
        return self.mails

    @asynccontextmanager
    async def serve(self, tls: ssl.SSLContext | None, **more: Any) -> AsyncIterator[int]:
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {
            "hostname": "smtp.test",
            "tls_context": tls,
            "authenticator": self.login,
            "auth_require_tls": tls is not None,
            "loop": loop,
            **more,
        }
        server = await loop.create_server(lambda: SMTP(self, **options), "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()


class MailPlatform:
    """A mailbox of the bot's own on Dovecot, an SMTP server, and those who write."""

    def __init__(self, dovecot: Dovecot, authority: Authority) -> None:
        self.user = f"bot-{uuid.uuid4().hex}"
        self.post = Post()
        self.wire = Wire(dovecot.imaps)
        self.smtp_port = 0
        self._dovecot = dovecot
        self._authority = authority
        self._last = b""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[MailPlatform]:
        async with self.wire.open(), self.post.serve(self._authority.server) as self.smtp_port:
            yield self

    @property
    def config(self) -> Mapping[str, object]:
        return {
            "consentGranted": True,
            "authservId": SERVER,
            "imapHost": "localhost",
            "imapPort": self.wire.port,
            "imapUsername": self.user,
            "imapPassword": PASSWORD,
            "smtpHost": "localhost",
            "smtpPort": self.smtp_port,
            "smtpUsername": BOT,
            "smtpPassword": PASSWORD,
            "tlsCaFile": self._authority.file,
        }

    @property
    def wrong_config(self) -> Mapping[str, object] | None:
        return {"imapPassword": "wrong-horse"}

    async def say(
        self, text: str, *, user: str = "u1", chat: str = "", again: bool = False
    ) -> None:
        if not again:
            self._last = letter(f"{user}@example.org", text)
        await self.deliver(self._last)

    async def deliver(self, raw: bytes) -> None:
        """Put a mail into the bot's inbox, as a server does that got it."""
        await self.imap(lambda box: box.append("INBOX", "", "", raw))

    async def imap(self, work: Callable[[imaplib.IMAP4], Any]) -> Any:
        """Do something in the bot's mailbox, as another mail program does."""

        def inside() -> Any:
            with imaplib.IMAP4("127.0.0.1", self._dovecot.imap) as box:
                box.login(self.user, PASSWORD)
                box.select("INBOX")
                return work(box)

        return await asyncio.to_thread(inside)

    async def flags(self, mailbox: str = "INBOX") -> list[set[str]]:
        """Return the flags of all mails."""

        def ask(box: imaplib.IMAP4) -> list[set[str]]:
            kind, _ = box.select(mailbox)
            if kind != "OK":
                return []
            _, data = box.uid("FETCH", "1:*", "(FLAGS)")
            found = [imaplib.ParseFlags(each) for each in data if each]
            return [{flag.decode() for flag in each} - {"\\Recent"} for each in found]

        return list(await self.imap(ask))

    async def senders(self, mailbox: str = "INBOX") -> list[str]:
        """Return the From of all mails."""

        def ask(box: imaplib.IMAP4) -> list[str]:
            kind, _ = box.select(mailbox)
            if kind != "OK":
                return []
            _, data = box.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (FROM)])")
            lines = [each[1].decode() for each in data if isinstance(each, tuple)]
            return [line.partition(":")[2].strip() for line in lines]

        return list(await self.imap(ask))

    async def received(self, count: int) -> Sequence[Sent]:
        mails = await self.post.until(count)
        return [
            Sent(chat=str(mail["To"]), text=body_of(mail), id=str(mail["Message-ID"]))
            for mail in mails
        ]

    async def refuse(self, *, retryable: bool) -> None:
        self.post.refusals.append("451 4.3.0 busy" if retryable else "554 5.7.1 no")

    async def drop(self) -> None:
        self.wire.cut()


def body_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def verified(domain: str, server: str = SERVER) -> str:
    """Return what a server writes into Authentication-Results that found all in order."""
    return (
        f"{server}; spf=pass smtp.mailfrom=bounce@{domain}; dkim=pass header.d={domain};\r\n"
        f" dmarc=pass (p=none) header.from={domain}"
    )


def letter(sender: str, text: str, **headers: str) -> bytes:
    """Return a mail as it lies in the mailbox: with what the server found out on top."""
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"] = sender
    mail["To"] = BOT
    mail["Message-ID"] = f"<{uuid.uuid4().hex}@{sender.rpartition('@')[2]}>"
    for name, value in headers.items():
        del mail[name.replace("_", "-")]
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    found = f"Authentication-Results: {verified(sender.rpartition('@')[2])}\r\n"
    return found.encode() + mail.as_bytes()


class ScriptedImap:
    """An IMAP server that does little, and that little as the test wants it.

    Attributes:
        mails: What lies in the mailbox, by UID.
        commands: What the client asked, in order.
        capabilities: What it says it can.
        greeting: Its first line.
        silent: The command that it never answers.
    """

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self.tls = tls
        self.mails: dict[int, bytes] = {}
        self.seen: set[int] = set()
        self.commands: list[str] = []
        self.capabilities = "IMAP4rev1 AUTH=PLAIN IDLE"
        self.greeting = "* OK ready"
        self.login = "OK in"
        self.validity = 7
        self.silent = ""
        self.after_starttls = b""
        self.news = asyncio.Condition()
        self._writers: list[asyncio.StreamWriter] = []

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0, ssl=self.tls)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for writer in self._writers:
                writer.transport.abort()

    async def until(self, command: str, count: int = 1) -> None:
        """Wait until the client has used a command so often."""
        async with self.news:
            await self.news.wait_for(lambda: self.commands.count(command) >= count)

    async def tell(self, line: str) -> None:
        """Say something unasked to the client that came last."""
        self._writers[-1].write(line.encode() + b"\r\n")

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        writer.write(self.greeting.encode() + b"\r\n")
        with contextlib.suppress(OSError, ValueError):
            while line := (await reader.readline()).decode():
                tag, _, rest = line.strip().partition(" ")
                words = rest.upper().split()
                name = " ".join(words[:2]) if words[0] == "UID" else words[0]
                async with self.news:
                    self.commands.append(name)
                    self.news.notify_all()
                if name != self.silent:
                    await self._answer(tag, name, rest, reader, writer)

    async def _answer(
        self,
        tag: str,
        name: str,
        rest: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        end = "OK done"
        if name == "CAPABILITY":
            writer.write(f"* CAPABILITY {self.capabilities}\r\n".encode())
        elif name == "AUTHENTICATE":
            writer.write(b"+ \r\n")
            await reader.readline()
            end = self.login
        elif name == "SELECT":
            end = "OK [READ-WRITE] done"
            writer.write(
                f"* {len(self.mails)} EXISTS\r\n* OK [UIDVALIDITY {self.validity}] ok\r\n".encode()
            )
        elif name == "UID SEARCH":
            new = " ".join(str(uid) for uid in self.mails if uid not in self.seen)
            writer.write(f"* SEARCH {new}\r\n".encode())
        elif name == "UID FETCH":
            uid = int(rest.split()[2])
            raw = self.mails[uid]
            item = "BODY[]<0>"
            if "HEADER" in rest:
                raw, item = raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", "BODY[HEADER]<0>"
            head = f"* 1 FETCH (UID {uid} RFC822.SIZE {len(raw)} {item} {{{len(raw)}}}\r\n"
            writer.write(head.encode() + raw + b")\r\n")
        elif name == "UID STORE":
            self.seen.add(int(rest.split()[2]))
        elif name == "STARTTLS":
            writer.write(f"{tag} OK go\r\n".encode() + self.after_starttls)
            return
        elif name == "IDLE":
            writer.write(b"+ idling\r\n")
            await reader.readline()  # DONE
        writer.write(f"{tag} {end}\r\n".encode())


@pytest.fixture
def scripted() -> type[ScriptedImap]:
    return ScriptedImap


@pytest.fixture
def platform(dovecot: Dovecot, authority: Authority) -> MailPlatform:
    """Return a mailbox with its servers, to be opened within the test's loop."""
    return MailPlatform(dovecot, authority)


@pytest.fixture
def new_post() -> type[Post]:
    return Post


@pytest.fixture
def write() -> Callable[..., bytes]:
    return letter


@pytest.fixture
def found_by_server() -> Callable[..., str]:
    return verified
