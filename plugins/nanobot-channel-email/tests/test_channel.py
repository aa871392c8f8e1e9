"""What comes in from a real Dovecot, and what goes out to a real SMTP server."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from nanobot.messages import File, Image, Target, Text, Trust, text_of
from nanobot_channel_email.mailbox import Mailbox
from nanobot_gateway.channel import Accepted, DeliveryError, Incoming, Outgoing, Verdict
from nanobot_testing import run
from nanobot_testing.contracts.channel import Host, running
from nanobot_testing.host import load_spec

PLUGIN = "channels.email"
ALICE = "alice@example.org"
NAMES = json.loads((Path(__file__).parent / "corpora" / "media_names.json").read_text())["items"]
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"pixels"

Go = Callable[..., None]


class Deciding(Host):
    """A host that decides on messages as the test says."""

    def __init__(self, verdict: Verdict = Verdict.TURN) -> None:
        super().__init__()
        self.verdict = verdict
        self.before: Callable[[Incoming], Awaitable[None]] | None = None
        self.when_ready: Callable[[], None] | None = None

    def ready(self) -> None:
        super().ready()
        if self.when_ready is not None:
            self.when_ready()

    async def accept(self, message: Incoming) -> Accepted:
        if self.before is not None:
            await self.before(message)
        accepted = await super().accept(message)
        if accepted.verdict is Verdict.TURN:
            return Accepted(verdict=self.verdict)
        return accepted


@pytest.fixture
def connected(platform: Any, tmp_path: Path, write: Any) -> Go:
    """Return a function that runs some work on a channel which has dealt with some mails."""

    def go(work: Any, *mails: bytes, host: Host | None = None, **more: object) -> None:
        async def inside() -> None:
            async with platform.open():
                used = host or Deciding()
                for raw in mails:
                    await platform.deliver(raw)
                if mails:
                    await platform.deliver(write("end@example.org", "the end"))
                config = {**platform.config, **more}
                async with running(load_spec(PLUGIN), config, tmp_path, used, PLUGIN) as channel:
                    # Mails come in one after the other: all before the last one are dealt with.
                    while mails and not any(m.sender == "end@example.org" for m in used.messages):
                        await used.until(len(used.messages) + 1)
                    messages = [m for m in used.messages if m.sender != "end@example.org"]
                    await work(channel, messages)

        run(inside(), seconds=60)

    return go


def outgoing(text: str, n: int = 1, **more: Any) -> Outgoing:
    target = more.pop("target", Target(channel="email", chat=ALICE))
    return Outgoing(id=f"turn/{n}", target=target, text=text, **more)


# --- in -----------------------------------------------------------------------------------------


def test_a_mail_is_marked_only_after_it_was_accepted(
    connected: Go, platform: Any, write: Any
) -> None:
    host = Deciding()
    during: list[Any] = []

    async def look(message: Incoming) -> None:
        during.append((await platform.flags())[0])

    async def work(channel: Any, messages: list[Incoming]) -> None:
        assert during[0] == set()
        assert (await platform.flags())[0] == {"\\Seen"}

    host.before = look
    connected(work, write(ALICE, "hello"), host=host)


def test_a_mail_that_could_not_be_stored_stays_unread(
    connected: Go, platform: Any, write: Any
) -> None:
    host = Deciding()
    host.storage_fails = 3
    during: list[Any] = []

    async def look(message: Incoming) -> None:
        during.append((await platform.flags())[0])

    async def work(channel: Any, messages: list[Incoming]) -> None:
        assert [m.sender for m in messages] == [ALICE]
        assert during[:4] == [set()] * 4 and during[4] == {"\\Seen"}

    host.before = look
    connected(work, write(ALICE, "hello"), host=host)


def test_a_keyword_can_mark_in_place_of_seen(connected: Go, platform: Any, write: Any) -> None:
    async def work(channel: Any, messages: list[Incoming]) -> None:
        assert len(messages) == 1
        assert (await platform.flags())[0] == {"$NanobotTaken"}

    connected(work, write(ALICE, "hello"), markSeen=False)


def test_mail_that_waited_comes_in_order(connected: Go, write: Any) -> None:
    async def work(channel: Any, messages: list[Incoming]) -> None:
        assert [text_of(m.parts).strip() for m in messages] == [f"number {n}" for n in range(5)]

    connected(work, *(write(ALICE, f"number {n}") for n in range(5)))


def test_what_a_mail_says(connected: Go, write: Any) -> None:
    raw = write(
        ALICE,
        "Please.\n\n> quoted",
        Subject="Grüße",
        From=f"Alice <{ALICE.upper()}>",
        References="<a@x> <b@x>",
        Date="Mon, 4 May 2026 10:00:00 +0200",
    )

    async def work(channel: Any, messages: list[Incoming]) -> None:
        (message,) = messages
        assert message.sender == message.chat == ALICE and message.direct
        subject, words, quoted = message.parts
        assert isinstance(subject, Text) and subject.text == "Subject: Grüße\n"
        assert isinstance(words, Text) and words.text == "Please."
        assert (subject.trust, words.trust) == (Trust.TRUSTED, Trust.TRUSTED)
        assert isinstance(quoted, Text) and quoted.text.strip() == "> quoted"
        assert quoted.trust is Trust.UNTRUSTED
        assert message.reply_to == "<b@x>" and not message.thread
        assert message.sent_at is not None and message.sent_at.year == 2026

    connected(work, raw)


def test_commands_stand_alone(connected: Go, write: Any) -> None:
    text = "/goal one\ntwo\n\n-- \nAlice\n\nOn Monday, May 4, 2026 Bot wrote:\n> hi"

    async def work(channel: Any, messages: list[Incoming]) -> None:
        assert text_of(messages[0].parts) == "/goal one\ntwo"

    connected(work, write(ALICE, text, Subject="Re: Hello"))


@pytest.mark.parametrize(
    "found",
    [
        b"",
        b"Authentication-Results: mx.test; spf=fail smtp.mailfrom=example.org; dkim=none\r\n",
        b"Authentication-Results: mx.evil; spf=pass smtp.mailfrom=example.org; "
        b"dkim=pass header.d=example.org\r\n",
        b"Authentication-Results: mx.test; none\r\n",
    ],
)
def test_who_is_not_verified_is_nobody(
    connected: Go, platform: Any, write: Any, found: bytes
) -> None:
    """The header that the sender forged, further down, does not help."""
    raw = write(ALICE, "trust me")
    raw = found + raw if found else raw[raw.index(b"From:") :]

    async def work(channel: Any, messages: list[Incoming]) -> None:
        (message,) = messages
        assert message.sender == "" and ALICE not in message.chat
        assert "trust me" not in text_of(message.parts)
        assert (await platform.flags())[0] == {"\\Seen"}

    connected(work, raw)


def test_who_names_nobody_is_nobody(connected: Go, write: Any) -> None:
    raw = write(ALICE, "hello")
    lines = [b"From: alice@example.org <evil@y.org>", b"From: nobody", b"X-From: a@example.org"]

    async def work(channel: Any, messages: list[Incoming]) -> None:
        assert [message.sender for message in messages] == ["", "", ""]

    connected(work, *(raw.replace(b"From: alice@example.org", line) for line in lines))


def test_without_verification_nothing_is_trusted(connected: Go, write: Any) -> None:
    raw = write(ALICE, "hello")

    async def work(channel: Any, messages: list[Incoming]) -> None:
        (message,) = messages
        assert message.sender == ALICE
        assert all(part.trust is Trust.UNTRUSTED for part in message.parts)

    off = {"verifySpf": False, "verifyDkim": False, "authservId": ""}
    connected(work, raw[raw.index(b"From:") :], **off)


def test_machines_are_not_answered(connected: Go, platform: Any, write: Any) -> None:
    headers = {
        "Auto_Submitted": "auto-replied",
        "Precedence": "bulk",
        "List_Id": "<l.example.org>",
        "Return_Path": "<>",
    }
    mails = [write(ALICE, "out of office", **{name: value}) for name, value in headers.items()]

    async def work(channel: Any, messages: list[Incoming]) -> None:
        assert messages == []
        assert (await platform.flags())[:5] == [{"\\Seen"}] * 5

    connected(work, *mails, write("bot@example.org", "me"), fromAddress="bot@example.org")


def test_who_writes_too_much_waits_in_the_mailbox(connected: Go, platform: Any, write: Any) -> None:
    async def work(channel: Any, messages: list[Incoming]) -> None:
        assert [text_of(m.parts).strip() for m in messages] == ["number 0", "number 1"]
        assert (await platform.flags())[:4] == [{"\\Seen"}, {"\\Seen"}, set(), set()]

    connected(work, *(write(ALICE, f"number {n}") for n in range(4)), maxPerSenderPerHour=2)


def test_a_session_for_each_thread(connected: Go, platform: Any, write: Any) -> None:
    async def work(channel: Any, messages: list[Incoming]) -> None:
        one, two, three = messages
        assert one.thread and one.thread == two.thread != three.thread
        for n, (message, subject) in enumerate([(one, "Re:"), (three, "Re: Second")]):
            target = Target(channel="email", chat=ALICE, thread=message.thread)
            await channel.send(outgoing("unasked", n, target=target))
            assert (await platform.post.until(n + 1))[n]["Subject"] == subject

    connected(
        work,
        write(ALICE, "one", Message_ID="<1@x.org>", Subject="First"),
        write(ALICE, "two", References="<1@x.org> <9@x.org>"),
        write(ALICE, "three", Subject="Second"),
        sessionPerThread=True,
    )


def test_mails_without_an_id_are_told_apart(connected: Go, write: Any) -> None:
    raw = write(ALICE, "same").replace(b"Message-ID:", b"X-ID:")

    async def work(channel: Any, messages: list[Incoming]) -> None:
        one, two = messages
        assert one.id and one.id != two.id

    connected(work, raw, raw)


# --- attachments --------------------------------------------------------------------------------


def with_files(*files: tuple[str, str, bytes], text: str = "see") -> bytes:
    mail = EmailMessage()
    mail["From"] = ALICE
    mail["Message-ID"] = f"<{abs(hash(files))}@example.org>"
    mail.set_content(text)
    for name, kind, data in files:
        main, _, sub = kind.partition("/")
        mail.add_attachment(data, maintype=main, subtype=sub, filename=name)
    found = "mx.test; spf=pass smtp.mailfrom=example.org; dkim=pass header.d=example.org"
    raw = mail.as_bytes().replace(b"\n", b"\r\n")
    return f"Authentication-Results: {found}\r\n".encode() + raw


def test_attachments_are_kept(connected: Go, tmp_path: Path) -> None:
    raw = with_files(("../../x.png", "image/png", PNG), ("r.pdf", "application/pdf", b"%PDF-1"))

    async def work(channel: Any, messages: list[Incoming]) -> None:
        _, picture, shown, report = messages[0].parts
        assert isinstance(shown, Image) and shown.data == PNG and shown.trust is Trust.UNTRUSTED
        for part, data, suffix in ((picture, PNG, ".png"), (report, b"%PDF-1", ".pdf")):
            assert isinstance(part, File)
            path = Path(part.path)
            assert path.parent == tmp_path / "media" and path.suffix == suffix
            assert path.read_bytes() == data and path.stat().st_mode & 0o777 == 0o600

    connected(work, raw, allowedAttachmentTypes=["image/*", "application/pdf"])


def test_what_may_not_be_attached_is_named(connected: Go, tmp_path: Path) -> None:
    raw = with_files(
        ("a.exe", "application/x-msdownload", b"MZ"),
        ("big.txt", "text/plain", b"x" * 2000),
        ("one.txt", "text/plain", b"1"),
        ("two.txt", "application/octet-stream", b"2"),
    )

    async def work(channel: Any, messages: list[Incoming]) -> None:
        text = text_of(messages[0].parts)
        assert "a.exe (type application/x-msdownload is not in" in text
        assert "big.txt (larger than 1000 bytes)" in text
        assert "two.txt (more than 1)" in text
        (file,) = [part for part in messages[0].parts if isinstance(part, File)]
        assert file.name == "one.txt"
        assert len(list((tmp_path / "media").iterdir())) == 1

    limits = {"maxAttachmentSize": 1000, "maxAttachmentsPerEmail": 1}
    connected(work, raw, allowedAttachmentTypes=["text/plain"], **limits)


@pytest.mark.parametrize("verdict", [Verdict.DENIED, Verdict.DUPLICATE])
def test_files_of_mails_that_lead_to_nothing_are_removed(
    connected: Go, tmp_path: Path, verdict: Verdict
) -> None:
    async def work(channel: Any, messages: list[Incoming]) -> None:
        assert any(isinstance(part, File) for part in messages[0].parts)
        assert list((tmp_path / "media").iterdir()) == []

    raw = with_files(("x.png", "image/png", PNG))
    connected(work, raw, host=Deciding(verdict), allowedAttachmentTypes=["*"])


def test_the_mail_of_a_stranger_is_not_fetched(connected: Go, tmp_path: Path) -> None:
    """Nothing but its head; the gateway is told of it, and it counts as dealt with."""
    host = Deciding(Verdict.DENIED)
    host.strangers.add(ALICE)
    fetched: list[int] = []

    async def whole(mailbox: Mailbox, uid: int, most: int) -> bytes | None:
        fetched.append(uid)
        return await real(mailbox, uid, most)

    async def work(channel: Any, messages: list[Incoming]) -> None:
        (message,) = messages
        assert (message.sender, message.direct) == (ALICE, True)
        assert text_of(message.parts).startswith("[a mail that was not read")
        assert list((tmp_path / "media").iterdir()) == []
        assert fetched == [2], "the one that ends the test"

    real = Mailbox.whole
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Mailbox, "whole", whole)
        raw = with_files(("x.png", "image/png", PNG))
        connected(work, raw, host=host, allowedAttachmentTypes=["*"])


def test_files_of_a_mail_that_could_not_be_stored_are_removed(
    connected: Go, tmp_path: Path
) -> None:
    host = Deciding()
    host.storage_fails = 2

    async def work(channel: Any, messages: list[Incoming]) -> None:
        assert len(list((tmp_path / "media").iterdir())) == 1

    raw = with_files(("x.png", "image/png", PNG))
    connected(work, raw, host=host, allowedAttachmentTypes=["*"])


def test_a_mail_whose_files_can_not_be_stored_stays_unread(
    connected: Go, platform: Any, tmp_path: Path, write: Any
) -> None:
    folder = tmp_path / "media"
    host = Deciding()

    async def block(message: Incoming) -> None:
        if message.sender == "first@example.org":
            folder.rmdir()
            folder.write_text("in the way")

    def unblock() -> None:
        if host.readies == 3:  # it connected anew, and tried again
            unread.append(len(host.messages))
            folder.unlink()
            folder.mkdir()

    async def work(channel: Any, messages: list[Incoming]) -> None:
        assert unread == [1]
        assert [m.sender for m in messages] == ["first@example.org", ALICE]

    unread: list[int] = []
    host.before, host.when_ready = block, unblock
    mails = write("first@example.org", "hello"), with_files(("x.png", "image/png", PNG))
    connected(work, *mails, host=host, allowedAttachmentTypes=["*"])


def test_no_name_of_an_attachment_is_a_path(connected: Go, tmp_path: Path) -> None:
    """Every name of the corpus: one regular file in the folder, never executable."""
    mails = []
    for row in NAMES:
        encoded = "".join(f"%{byte:02X}" for byte in row["input"].encode())
        raw = with_files(("PLACE", "application/pdf", b"%PDF-1"))
        raw = raw.replace(b'filename="PLACE"', f"filename*=utf-8''{encoded}".encode())
        mails.append(raw.replace(b"Message-ID: <", f"Message-ID: <{row['id']}.".encode()))

    async def work(channel: Any, messages: list[Incoming]) -> None:
        files = list((tmp_path / "media").iterdir())
        assert len(files) == len(NAMES) == len(messages)
        assert all(f.is_file() and not f.is_symlink() for f in files)
        assert all(f.suffix == ".pdf" and f.stat().st_mode & 0o777 == 0o600 for f in files)
        for message in messages:
            (part,) = [part for part in message.parts if isinstance(part, File)]
            assert part.name.isprintable() and len(part.name) <= 120

    connected(work, *mails, allowedAttachmentTypes=["application/pdf"])


def test_large_mails_are_read_up_to_a_limit(connected: Go, tmp_path: Path) -> None:
    raw = with_files(("big.png", "image/png", PNG + b"\0" * 2_000_000), text="short")

    async def work(channel: Any, messages: list[Incoming]) -> None:
        text = text_of(messages[0].parts)
        assert text.startswith("short") and "big.png (the mail is too large)" in text
        assert list((tmp_path / "media").iterdir()) == []

    connected(work, raw, allowedAttachmentTypes=["*"], maxAttachmentSize=1000)


def test_long_texts_are_cut(connected: Go, write: Any) -> None:
    async def work(channel: Any, messages: list[Incoming]) -> None:
        text = text_of(messages[0].parts)
        assert len(text) < 200 and "left out" in text

    connected(work, write(ALICE, "word " * 1000), maxBodyChars=100)


# --- what becomes of mails ----------------------------------------------------------------------


def test_deleting_marks(connected: Go, platform: Any, write: Any) -> None:
    async def work(channel: Any, messages: list[Incoming]) -> None:
        assert (await platform.flags())[0] == {"\\Seen", "\\Deleted"}

    connected(work, write(ALICE, "hello"), postAction="delete")


def test_expunging_removes_nothing_else(connected: Go, platform: Any, write: Any) -> None:
    host = Deciding()

    async def delete_another(message: Incoming) -> None:
        if message.sender == ALICE:
            await platform.imap(lambda box: box.store("1", "+FLAGS", "(\\Deleted)"))

    async def work(channel: Any, messages: list[Incoming]) -> None:
        left = await platform.senders()
        assert "list@example.org" in left and ALICE not in left

    host.before = delete_another
    mails = write("list@example.org", "x", List_Id="<l.x>"), write(ALICE, "hello")
    connected(work, *mails, host=host, postAction="delete", postActionExpunge=True)


@pytest.mark.parametrize("skipped_too", [False, True])
def test_moving_makes_the_mailbox(
    connected: Go, platform: Any, write: Any, skipped_too: bool
) -> None:
    async def work(channel: Any, messages: list[Incoming]) -> None:
        moved = await platform.senders('"Erl&AOQ-utert &- &ZmA-"')  # RFC 3501, 5.1.3
        expected = ["list@example.org", ALICE] if skipped_too else [ALICE]
        assert moved[: len(expected)] == expected
        assert ALICE not in await platform.senders()

    connected(
        work,
        write("list@example.org", "x", List_Id="<l.x>"),
        write(ALICE, "hello"),
        postAction="move",
        postActionMoveMailbox="Erläutert & 晠",
        postActionIgnoreSkipped=not skipped_too,
    )


# --- out ----------------------------------------------------------------------------------------


def test_answers_find_their_thread_after_a_restart(
    connected: Go, platform: Any, write: Any
) -> None:
    async def first(channel: Any, messages: list[Incoming]) -> None:
        assert [m.id for m in messages] == ["<2@x.org>"]

    async def second(channel: Any, messages: list[Incoming]) -> None:
        sent = await channel.send(outgoing("Here.", answers="<2@x.org>"))
        (mail,) = await platform.post.until(1)
        assert mail["Subject"] == "Re: Plans" and mail["In-Reply-To"] == "<2@x.org>"
        assert mail["References"] == "<1@x.org> <2@x.org>"
        assert mail["Auto-Submitted"] == "auto-replied"
        assert mail["To"] == ALICE and mail["From"] == "bot@example.org"
        assert mail["Message-ID"] == sent
        assert platform.post.logins[-1] == b"bot@example.org"

    more = {"Subject": "Plans", "References": "<1@x.org>", "Message_ID": "<2@x.org>"}
    connected(first, write(ALICE, "hello", **more))
    connected(second)


def test_a_repeated_message_can_be_recognised(connected: Go, platform: Any) -> None:
    async def work(channel: Any, messages: list[Incoming]) -> None:
        await channel.send(outgoing("once"))
        await channel.send(outgoing("once"))
        await channel.send(outgoing("other", 2))
        one, again, other = await platform.post.until(3)
        assert one["Message-ID"] == again["Message-ID"] != other["Message-ID"]

    connected(work)


def test_who_is_denied_leaves_no_thread(connected: Go, platform: Any, write: Any) -> None:
    async def work(channel: Any, messages: list[Incoming]) -> None:
        await channel.send(outgoing("reminder"))
        (mail,) = await platform.post.until(1)
        assert mail["Subject"] == "reminder" and mail["In-Reply-To"] is None

    connected(work, write(ALICE, "hello", Subject="Trap"), host=Deciding(Verdict.DENIED))


def test_answers_can_be_switched_off(connected: Go, platform: Any) -> None:
    async def work(channel: Any, messages: list[Incoming]) -> None:
        assert await channel.send(outgoing("answer", answers="<1@x.org>")) == ""
        await channel.send(outgoing("reminder", 2))
        (mail,) = await platform.post.until(1)
        assert mail["Subject"] == "reminder"

    connected(work, autoReplyEnabled=False)


def test_files_and_choices_go_out(connected: Go, platform: Any, tmp_path: Path) -> None:
    async def work(channel: Any, messages: list[Incoming]) -> None:
        good, big, third = (tmp_path / name for name in ("a.txt", "big.bin", "c.txt"))
        good.write_bytes(b"A")
        big.write_bytes(b"x" * 101)
        third.write_bytes(b"C")
        files = (tmp_path / "none.txt", big, good, third)
        await channel.send(outgoing("See.", files=files, buttons=(("yes", "no"), ("later",))))
        (mail,) = await platform.post.until(1)
        (only,) = mail.iter_attachments()
        assert only.get_filename() == "a.txt"
        body = mail.get_body(("plain",)).get_content().replace("\r\n", "\n")
        assert "yes | no\nlater" in body
        for note in ("none.txt (No such", "big.bin (larger than 100", "c.txt (more than 1"):
            assert f"[not attached: {note}" in body

    connected(work, maxAttachmentSize=100, maxAttachmentsPerEmail=1)


@pytest.mark.parametrize(
    "chat",
    ["", "u1", "a@x.org\r\nRCPT TO:<b@x.org>", "a@x.org, b@x.org", "<a@x.org>", "unverified"],
)
def test_only_one_address_is_written_to(connected: Go, platform: Any, chat: str) -> None:
    async def work(channel: Any, messages: list[Incoming]) -> None:
        with pytest.raises(DeliveryError) as caught:
            await channel.send(outgoing("hi", target=Target(channel="email", chat=chat)))
        assert not caught.value.retryable
        assert platform.post.envelopes == []

    connected(work)


@pytest.mark.parametrize(
    ("answer", "retryable"),
    [
        ("421 4.7.0 later", True),
        ("452 4.2.2 full", True),
        ("550 5.1.1 no", False),
        ("552 no", False),
    ],
)
def test_codes_decide_whether_to_try_again(
    connected: Go, platform: Any, answer: str, retryable: bool
) -> None:
    async def work(channel: Any, messages: list[Incoming]) -> None:
        platform.post.refusals.append(answer)
        with pytest.raises(DeliveryError) as caught:
            await channel.send(outgoing("hi"))
        assert caught.value.retryable is retryable
        assert answer[:3] in caught.value.message

    connected(work)


def test_addresses_beyond_ascii_need_a_server_that_takes_them(connected: Go, platform: Any) -> None:
    async def work(channel: Any, messages: list[Incoming]) -> None:
        with pytest.raises(DeliveryError) as caught:
            await channel.send(outgoing("hi", target=Target(channel="email", chat="jürgen@x.org")))
        assert not caught.value.retryable

    connected(work)
