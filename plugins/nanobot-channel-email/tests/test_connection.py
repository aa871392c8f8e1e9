"""Connections: protected or not made, kept up, given up in time, and wrong settings named."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from nanobot import log
from nanobot.errors import ConfigError, NanobotError
from nanobot.messages import Target, text_of
from nanobot_channel_email import channel as channel_module
from nanobot_channel_email import mailbox as mailbox_module
from nanobot_channel_email.channel import open_channel
from nanobot_channel_email.config import EmailConfig
from nanobot_gateway.channel import DeliveryError, Outgoing
from nanobot_testing import run
from nanobot_testing.contracts.channel import Host, channel_context, running
from nanobot_testing.host import load_spec

PLUGIN = "channels.email"
PASSWORD = "correct-horse"
BASE: dict[str, object] = {
    "consentGranted": True,
    "authservId": "mx.test",
    "imapHost": "localhost",
    "imapUsername": "bot",
    "imapPassword": PASSWORD,
    "smtpHost": "localhost",
    "fromAddress": "bot@example.org",
    "smtpPort": 1,  # nobody listens; that is no reason not to read mail
    "smtpUseTls": False,
}


@asynccontextmanager
async def opened(
    folder: Path, config: Mapping[str, object], account: str = "default"
) -> AsyncIterator[Any]:
    context = channel_context(load_spec(PLUGIN), folder, Host(), PLUGIN)
    if account != "default":
        fields = {name: getattr(context, name) for name in context.__slots__}
        names = ("id", "log", "data", "options", "clock", "extensions")
        fields |= {name: getattr(context, name) for name in names}
        context = type(context)(**{**fields, "account": account})
    async with open_channel(EmailConfig.model_validate(dict(config)), context) as channel:
        yield channel


def failure(folder: Path, config: Mapping[str, object], **more: Any) -> NanobotError:
    """Run a channel that can not run, and return why."""

    async def inside() -> NanobotError:
        async with opened(folder, config, **more) as channel:
            with pytest.raises(NanobotError) as caught:
                await channel.run()
        return caught.value

    return run(inside())


def hello(n: int = 1) -> Outgoing:
    return Outgoing(id=f"o{n}", target=Target(channel="email", chat="a@x.org"), text="hi")


# --- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"consentGranted": False}, "channels.email.consentGranted"),
        ({"imapHost": ""}, "channels.email.imapHost"),
        ({"imapUsername": ""}, "channels.email.imapUsername"),
        ({"imapPassword": None}, "channels.email.imapPassword"),
        ({"smtpHost": ""}, "channels.email.smtpHost"),
        ({"smtpUsername": "bot"}, "channels.email.smtpPassword"),
        ({"postAction": "move"}, "channels.email.postActionMoveMailbox"),
        ({"authservId": ""}, "channels.email.authservId"),
        ({"authservId": "", "verifySpf": False}, "channels.email.authservId"),
        ({"fromAddress": "", "imapUsername": "bot"}, "channels.email.fromAddress"),
        ({"fromAddress": "bot"}, "channels.email.fromAddress"),
        ({"tlsCaFile": "/nowhere.pem"}, "channels.email.tlsCaFile"),
        (
            {"imapHost": "192.0.2.1", "imapUseSsl": False, "imapUseTls": False, "imapPort": 1143},
            "channels.email.imapUseSsl",
        ),
        ({"smtpHost": "192.0.2.1", "smtpPort": 25}, "channels.email.smtpUseTls"),
        ({"smtpHost": "localhost.evil.example", "smtpPort": 25}, "channels.email.smtpUseTls"),
    ],
)
def test_what_can_not_work_is_named(tmp_path: Path, change: dict[str, object], named: str) -> None:
    error = failure(tmp_path, {**BASE, **change})
    assert isinstance(error, ConfigError)
    assert named in error.remedy and PASSWORD not in str(error)


def test_an_account_names_its_own_section(tmp_path: Path) -> None:
    error = failure(tmp_path, {**BASE, "consentGranted": False}, account="work")
    assert "channels.email.accounts.work.consentGranted" in error.remedy


def test_nothing_is_sent_without_consent(tmp_path: Path) -> None:
    async def inside() -> None:
        async with opened(tmp_path, {**BASE, "consentGranted": False}) as channel:
            with pytest.raises(DeliveryError, match="agreed") as caught:
                await channel.send(hello())
            assert not caught.value.retryable

    run(inside())


def test_passwords_are_masked_in_logs(tmp_path: Path) -> None:
    async def inside() -> None:
        async with opened(tmp_path, {**BASE, "smtpPassword": "another-horse"}) as channel:
            assert PASSWORD not in log.redact(f"it said {PASSWORD}")
            assert "another-horse" not in log.redact("and another-horse")
            assert PASSWORD not in repr(channel) + repr(EmailConfig.model_validate(BASE))

    run(inside())


@pytest.mark.parametrize(
    "change",
    [{"imapHost": "a\r\nb"}, {"imapMailbox": "a\nb"}, {"imapPort": 0}, {"pollIntervalSeconds": 1},
     {"postAction": "burn"}, {"maxAttachmentSize": -1}, {"imapHots": "x"}],
)  # fmt: skip
def test_settings_are_strict(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        EmailConfig.model_validate({**BASE, **change})


def test_older_forms_of_keys_are_read() -> None:
    config = EmailConfig.model_validate(
        {"imap_host": "x", "consent_granted": True, "verify_dkim": False}
    )
    assert (config.imap_host, config.consent_granted, config.verify_dkim) == ("x", True, False)


# --- TLS ----------------------------------------------------------------------------------------


def test_a_certificate_of_nobody_is_refused(platform: Any, tmp_path: Path) -> None:
    """Neither server learns a password."""

    async def inside() -> None:
        async with platform.open():
            config = {**platform.config, "tlsCaFile": None}
            async with opened(tmp_path, config) as channel:
                with pytest.raises(NanobotError, match=r"not trusted.*tlsCaFile"):
                    await channel.run()
                with pytest.raises(DeliveryError, match=r"not trusted.*tlsCaFile"):
                    await channel.send(hello())
            assert platform.post.logins == [] == platform.post.envelopes

    run(inside())


@pytest.mark.parametrize("implicit", [True, False])
def test_a_certificate_of_somebody_else_is_refused(
    authority: Any, scripted: Any, new_post: Any, tmp_path: Path, implicit: bool
) -> None:
    async def inside() -> None:
        tls: ssl.SSLContext = authority.context_for("elsewhere.example")
        imap, post = scripted(tls), new_post()
        more = {"require_starttls": True} if not implicit else {}
        async with imap.serve() as port, post.serve(tls, **more) as smtp_port:
            config = {
                **BASE,
                **{"imapPort": port, "smtpPort": smtp_port, "tlsCaFile": authority.file},
                "smtpUseTls": True,
            }
            async with opened(tmp_path, config) as channel:
                with pytest.raises(NanobotError, match="not trusted"):
                    await channel.run()
                with pytest.raises(DeliveryError, match="not trusted"):
                    await channel.send(hello())
            assert "AUTHENTICATE" not in imap.commands and post.envelopes == []

    run(inside())


@pytest.mark.parametrize("greeting", ["* OK ready", "* PREAUTH welcome"])
def test_imap_without_starttls_is_not_spoken_to(
    scripted: Any, tmp_path: Path, greeting: str
) -> None:
    """Somebody in between took STARTTLS out, or claims that all is well already."""

    async def inside() -> None:
        imap = scripted(None)
        imap.greeting = greeting
        if "PREAUTH" in greeting:
            imap.capabilities += " STARTTLS"
        async with imap.serve() as port:
            config = {**BASE, "imapPort": port, "imapUseSsl": False}
            async with opened(tmp_path, config) as channel:
                with pytest.raises(NanobotError):
                    await channel.run()
        assert not {"AUTHENTICATE", "LOGIN", "SELECT"} & set(imap.commands)

    run(inside())


def test_what_is_said_before_tls_is_not_heard_after_it(scripted: Any, tmp_path: Path) -> None:
    async def inside() -> None:
        imap = scripted(None)
        imap.capabilities += " STARTTLS"
        imap.after_starttls = b"* CAPABILITY IMAP4rev1 AUTH=EVIL\r\n"
        async with imap.serve() as port:
            config = {**BASE, "imapPort": port, "imapUseSsl": False}
            async with opened(tmp_path, config) as channel:
                with pytest.raises(NanobotError, match="more than the answer to STARTTLS"):
                    await channel.run()

    run(inside())


def test_starttls_works(platform: Any, dovecot: Any, tmp_path: Path, write: Any) -> None:
    async def inside() -> None:
        async with platform.open():
            await platform.deliver(write("a@example.org", "hello"))
            config = {**platform.config, "imapPort": dovecot.imap, "imapUseSsl": False}
            host = Host()
            async with running(load_spec(PLUGIN), config, tmp_path, host, PLUGIN):
                (message,) = await host.until(1)
                assert text_of(message.parts) == "hello"

    run(inside())


def test_smtp_without_starttls_is_not_spoken_to(new_post: Any, tmp_path: Path) -> None:
    async def inside() -> None:
        post = new_post()
        async with post.serve(None) as port:
            config = {
                **BASE,
                **{"smtpPort": port, "smtpUseTls": True},
                **{"smtpUsername": "bot@example.org", "smtpPassword": PASSWORD},
            }
            async with opened(tmp_path, config) as channel:
                with pytest.raises(DeliveryError, match="STARTTLS") as caught:
                    await channel.send(hello())
        assert not caught.value.retryable and post.logins == [] == post.envelopes

    run(inside())


def test_smtp_in_the_clear_on_the_same_machine(new_post: Any, tmp_path: Path) -> None:
    async def inside() -> None:
        post = new_post()
        async with post.serve(None) as port:
            config = {**BASE, "smtpPort": port}
            async with opened(tmp_path, config) as channel:
                await channel.send(hello())
        assert [envelope.rcpt_tos for envelope in post.envelopes] == [["a@x.org"]]

    run(inside())


# --- logins -------------------------------------------------------------------------------------


def test_a_wrong_password_of_smtp_is_named_at_the_start(platform: Any, tmp_path: Path) -> None:
    async def inside() -> None:
        async with platform.open():
            config = {**platform.config, "smtpPassword": "wrong-horse"}
            async with opened(tmp_path, config) as channel:
                with pytest.raises(ConfigError) as caught:
                    await channel.run()
                assert "channels.email.smtpPassword" in caught.value.remedy
                assert "wrong-horse" not in str(caught.value)
                with pytest.raises(DeliveryError) as refused:
                    await channel.send(hello())
                assert not refused.value.retryable

    run(inside())


def test_a_missing_mailbox_is_named(platform: Any, tmp_path: Path) -> None:
    async def inside() -> None:
        async with platform.open():
            config = {**platform.config, "imapMailbox": "Nöwhere"}
            async with opened(tmp_path, config) as channel:
                with pytest.raises(ConfigError, match="Nöwhere") as caught:
                    await channel.run()
                assert "channels.email.imapMailbox" in caught.value.remedy

    run(inside())


@pytest.mark.parametrize(
    ("answer", "lasting"),
    [
        ("NO [AUTHENTICATIONFAILED] wrong", True),
        ("NO LOGIN failed.", True),
        ("NO [UNAVAILABLE] Temporary authentication failure", False),
        ("NO [ALERT] Too many simultaneous connections. (Failure)", False),
    ],
)
def test_only_what_lasts_needs_the_owner(
    authority: Any, scripted: Any, tmp_path: Path, answer: str, lasting: bool
) -> None:
    async def inside() -> None:
        imap = scripted(authority.server)
        imap.login = answer
        async with imap.serve() as port:
            config = {**BASE, "imapPort": port, "tlsCaFile": authority.file}
            async with opened(tmp_path, config) as channel:
                with pytest.raises(NanobotError) as caught:
                    await channel.run()
        assert isinstance(caught.value, ConfigError) == lasting

    run(inside())


# --- waiting for mail ---------------------------------------------------------------------------


@asynccontextmanager
async def reading(imap: Any, authority: Any, folder: Path, **more: object) -> AsyncIterator[Host]:
    host = Host()
    async with imap.serve() as port:
        config = {**BASE, "imapPort": port, "tlsCaFile": authority.file, **more}
        async with running(load_spec(PLUGIN), config, folder, host, PLUGIN):
            yield host


def test_idle_ends_before_servers_hang_up() -> None:
    assert mailbox_module.IDLE_S < 29 * 60


def test_idle_is_renewed(
    authority: Any, scripted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_module, "IDLE_S", 0.01)

    async def inside() -> None:
        imap = scripted(authority.server)
        async with reading(imap, authority, tmp_path):
            await imap.until("IDLE", 3)
        assert imap.commands.count("UID SEARCH") >= 3

    run(inside())


def test_what_the_server_tells_is_fetched_at_once(
    authority: Any, scripted: Any, tmp_path: Path, write: Any
) -> None:
    async def inside() -> None:
        imap = scripted(authority.server)
        async with reading(imap, authority, tmp_path) as host:
            await imap.until("IDLE")
            await imap.tell("* OK Still here")
            imap.mails[5] = write("a@example.org", "hello")
            await imap.tell("* 1 EXISTS")
            (message,) = await host.until(1)
            assert text_of(message.parts) == "hello"

    run(inside())


@pytest.mark.parametrize("why", ["the server", "the settings"])
def test_without_idle_the_mailbox_is_polled(
    authority: Any, scripted: Any, tmp_path: Path, write: Any, why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(channel_module, "IDLE_S", 0.01)  # also bounds the pause between two looks

    async def inside() -> None:
        imap = scripted(authority.server)
        if why == "the server":
            imap.capabilities = "IMAP4rev1 AUTH=PLAIN"
        async with reading(imap, authority, tmp_path, imapIdle=why == "the server") as host:
            await imap.until("UID SEARCH", 2)
            imap.mails[5] = write("a@example.org", "hello")
            await host.until(1)
        assert "IDLE" not in imap.commands

    run(inside())


def test_a_new_uidvalidity_makes_new_ids(
    authority: Any, scripted: Any, tmp_path: Path, write: Any
) -> None:
    """UID 5 of a mailbox that was made anew is another mail."""

    async def inside() -> None:
        ids = []
        for validity in (7, 8):
            imap = scripted(authority.server)
            imap.validity = validity
            imap.mails[5] = write("a@example.org", "hello").replace(b"Message-ID", b"X-ID")
            async with reading(imap, authority, tmp_path) as host:
                (message,) = await host.until(1)
                ids.append(message.id)
        assert ids == ["INBOX:7:5", "INBOX:8:5"]

    run(inside())


def test_a_server_that_says_goodbye_is_asked_again(
    authority: Any, scripted: Any, tmp_path: Path, write: Any
) -> None:
    async def inside() -> None:
        imap = scripted(authority.server)
        async with reading(imap, authority, tmp_path) as host:
            await imap.until("IDLE")
            await imap.tell("* BYE shutting down")
            await host.until_ready(2)
            imap.mails[1] = write("a@example.org", "hello")
            await imap.until("IDLE", 2)
            await imap.tell("* 1 EXISTS")
            await host.until(1)

    run(inside())


@pytest.mark.parametrize("silent", ["CAPABILITY", "AUTHENTICATE", "SELECT", "NOOP", "UID SEARCH"])
def test_a_silent_server_can_be_left(
    authority: Any, scripted: Any, tmp_path: Path, silent: str
) -> None:
    async def inside() -> None:
        imap = scripted(authority.server)
        imap.silent = silent
        async with imap.serve() as port:
            config = {**BASE, "imapPort": port, "tlsCaFile": authority.file}
            async with opened(tmp_path, config) as channel:
                task = asyncio.create_task(channel.run())
                await imap.until(silent)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(inside(), seconds=20)


def test_a_silent_server_is_given_up(
    authority: Any, scripted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox_module, "CALL_S", 0.05)

    async def inside() -> None:
        imap = scripted(authority.server)
        imap.silent = "SELECT"
        async with imap.serve() as port:
            config = {**BASE, "imapPort": port, "tlsCaFile": authority.file}
            async with opened(tmp_path, config) as channel:
                with pytest.raises(NanobotError, match="no answer in time"):
                    await channel.run()

    run(inside())


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    error = failure(tmp_path, {**BASE, "imapPort": 1})
    assert not isinstance(error, ConfigError) and "localhost:1" in error.message
