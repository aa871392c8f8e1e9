"""The e-mail channel: brings in what stands in a mailbox, and sends answers by mail."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from urllib.parse import quote

from nanobot.errors import ConfigError, NanobotError, StorageError
from nanobot.log import remember_secret
from nanobot.messages import Part, Text, Trust
from nanobot_gateway.channel import ChannelContext, DeliveryError, Incoming, Outgoing, Verdict
from nanobot_gateway.files import discard

from nanobot_channel_email import settings
from nanobot_channel_email.config import EmailConfig
from nanobot_channel_email.identity import Demands, author, doubt, is_address
from nanobot_channel_email.ledger import Ledger, Note
from nanobot_channel_email.mailbox import IDLE_S, Mailbox, open_mailbox
from nanobot_channel_email.media import Limits, keep, to_attach
from nanobot_channel_email.reading import (
    MOST_REFERENCES,
    Head,
    own_words,
    read,
    without_signature,
)
from nanobot_channel_email.screening import objection
from nanobot_channel_email.submission import Submission
from nanobot_channel_email.writing import Draft, compose, message_id

UNVERIFIED = "unverified"
"""Chat of mails whose author is not believed; nobody is written to there."""
_UNREAD = "[a mail that was not read, as its author may not write to the agent]"
_TAKEN = (Verdict.TURN, Verdict.JOINED, Verdict.COMMAND)


@dataclass(frozen=True, kw_only=True)
class _Arrival:
    """A mail on its way to the agent.

    Args:
        uid: Its UID in the open mailbox.
        size: Its size in bytes.
        sender: Who wrote it, empty when that is not believed.
    """

    uid: int
    size: int
    id: str
    sender: str
    head: Head


class EmailChannel:
    """One mailbox.

    Args:
        config: Its section.
        context: What the gateway gives.
    """

    def __init__(self, config: EmailConfig, context: ChannelContext) -> None:
        self._config = config
        self._context = context
        self._section = "channels.email"
        if context.account != "default":
            self._section += f".accounts.{context.account}"
        self._limits = Limits(
            types=config.allowed_attachment_types,
            size=config.max_attachment_size,
            count=config.max_attachments_per_email,
        )
        self._demands = Demands(
            spf=config.verify_spf, dkim=config.verify_dkim, authserv_id=config.authserv_id
        )
        self._own = settings.own_addresses(config)
        name = f"threads-{quote(context.account, safe='')}.json"
        self._ledger = Ledger(context.data / name, context.log)
        self._submits: Submission | None = None
        self._waiting: dict[int, float] = {}  # UIDs to look at again, and when

    # --- in -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Watch the mailbox until cancelled or the connection is lost.

        Raises:
            ConfigError: The section can not be used, or a server refuses the account.
            StorageError: A mail could not be stored; it is still unread in the mailbox.
        """
        submission = self._submission()
        account = settings.account_of(self._config, self._section)
        try:
            await submission.check()
        except DeliveryError as error:  # mails may come in meanwhile
            self._context.log.warning("smtp_not_reached", reason=error.message)
        async with open_mailbox(account, self._context.log) as mailbox:
            self._waiting.clear()
            if self._config.imap_idle and not mailbox.can_idle:
                self._context.log.info("polling", seconds=self._config.poll_interval_seconds)
            self._context.ready()
            while True:
                uids = await mailbox.new()
                self._waiting = {uid: self._waiting[uid] for uid in uids if uid in self._waiting}
                for uid in uids:
                    if self._waiting.get(uid, 0.0) <= self._context.clock.monotonic():
                        await self._take(mailbox, uid)
                if not await mailbox.more():
                    await self._pause(mailbox)

    async def check(self, console: Callable[[str], None]) -> str:
        """Log into both servers; say of each that it works, and return that all does.

        Raises:
            NanobotError: Something does not; names all of it.
        """
        submission = self._submission()
        account = settings.account_of(self._config, self._section)

        async def read() -> None:
            async with open_mailbox(account, self._context.log):
                pass

        failures: list[NanobotError] = []
        for address, attempt, works in (
            (account.address, read, f"IMAP works: {account.mailbox} can be read"),
            (
                submission.address,
                submission.check,
                f"SMTP works: mails go from {submission.sender}",
            ),
        ):
            try:
                await attempt()
            except NanobotError as error:
                failures.append(error)
            else:
                console(f"{works} at {address.host}:{address.port}")
        if failures:
            raise NanobotError(
                "; ".join(error.message for error in failures),
                remedy=" ".join(error.remedy for error in failures if error.remedy),
            )
        return f"The account in {self._section} works."

    def _submission(self) -> Submission:
        """Return where answers are handed over, with the section checked as a whole."""
        if self._submits is None:
            settings.checked(self._config, self._section)
            self._submits = settings.submission_of(self._config, self._section)
        return self._submits

    async def _pause(self, mailbox: Mailbox) -> None:
        """Wait until there may be more to do."""
        now = self._context.clock.monotonic()
        due = min((max(at - now, 0.0) for at in self._waiting.values()), default=IDLE_S)
        if self._config.imap_idle and mailbox.can_idle:
            await mailbox.wait(min(IDLE_S, due))
        else:
            await self._context.clock.sleep(min(self._config.poll_interval_seconds, due))

    async def _take(self, mailbox: Mailbox, uid: int) -> None:
        """Deal with one mail; it is marked once that is done, whatever it came to."""
        found = await mailbox.head(uid)
        if found is None:  # somebody else removed it
            return
        size, data = found
        head = Head(data)
        writer = author(head.all("From"))
        reason = objection(head, writer, self._own)
        if reason:
            self._context.log.info("mail_skipped", uid=uid, reason=reason)
            await mailbox.mark(uid)
            await self._dispose(mailbox, uid, skipped=True)
            return
        arrival = _Arrival(
            uid=uid,
            size=size,
            id=head.id or f"{self._config.imap_mailbox}:{mailbox.validity}:{uid}",
            sender=self._believed(head, writer, uid),
            head=head,
        )
        if arrival.sender:
            most = self._config.max_per_sender_per_hour
            rest = self._ledger.rest(arrival.sender, most, self._context.clock.now().timestamp())
            if rest:
                self._context.log.warning("mail_waits", uid=uid, seconds=round(rest))
                self._waiting[uid] = self._context.clock.monotonic() + rest
                return
        self._waiting.pop(uid, None)
        note = self._note(arrival)
        message = Incoming(
            id=arrival.id,
            sender=arrival.sender,
            chat=arrival.sender or UNVERIFIED,
            parts=(Text(text=_UNREAD),),
            thread=note.thread,
            reply_to=(head.references or ("",))[-1],
            sent_at=head.written(self._context.clock.now()),
        )
        if arrival.sender and self._context.admits(message):  # else nobody would read it anyway
            content = await mailbox.whole(uid, self._limits.bytes_on_the_wire)
            if content is None:
                return
            parts = await asyncio.to_thread(self._parts, arrival, content)
            message = replace(message, parts=tuple(parts))
        verdict = await self._hand_over(message, note)
        await mailbox.mark(uid)
        await self._dispose(mailbox, uid, skipped=verdict in (Verdict.DENIED, Verdict.IGNORED))

    async def _dispose(self, mailbox: Mailbox, uid: int, *, skipped: bool) -> None:
        if not (skipped and self._config.post_action_ignore_skipped):
            await mailbox.dispose(uid, settings.disposal_of(self._config))

    def _believed(self, head: Head, writer: str, uid: int) -> str:
        """Return the author, empty when what is demanded was not verified."""
        if not writer:
            self._context.log.warning("mail_unbelieved", uid=uid, reason="From names nobody")
            return ""
        reason = doubt(head.all("Authentication-Results"), writer, self._demands)
        if reason:
            self._context.log.warning("mail_unbelieved", uid=uid, reason=reason)
            return ""
        return writer

    async def _hand_over(self, message: Incoming, note: Note) -> Verdict:
        """Put a mail before the gateway; files and notes stay only when it leads to something."""
        new = bool(note.chat) and not self._ledger.knows(note)
        if new:
            self._ledger.add(note)  # before the answer can be sent
        try:
            accepted = await self._context.accept(message)
        except StorageError:
            discard(message.parts)
            if new:
                self._ledger.drop(note)
            raise
        verdict = accepted.verdict
        if verdict not in _TAKEN:
            discard(message.parts)
        if new and verdict not in (*_TAKEN, Verdict.DUPLICATE):
            self._ledger.drop(note)
        if new and self._ledger.knows(note):
            await self._ledger.save()
        return verdict

    def _note(self, arrival: _Arrival) -> Note:
        references = arrival.head.references
        thread = ""
        if self._config.session_per_thread:
            root = references[0] if references else arrival.id
            thread = hashlib.sha256(root.encode("utf-8", "replace")).hexdigest()[:16]
        return Note(
            id=arrival.id,
            chat=arrival.sender,
            thread=thread,
            subject=arrival.head.subject,
            references=(*references[:1], *references[1:][-MOST_REFERENCES:]),
            at=self._context.clock.now().timestamp(),
        )

    def _parts(self, arrival: _Arrival, content: bytes) -> list[Part]:
        """Return what a mail says; its subject on a line before, unless it is a command."""
        # Without verification anybody can have written it.
        trust = Trust.TRUSTED if self._demands.any else Trust.UNTRUSTED
        letter = read(content, self._config.max_body_chars)
        words, quoted = own_words(letter.text)
        parts: list[Part] = []
        if words.strip().startswith("/"):
            parts.append(Text(text=without_signature(words).strip(), trust=trust))
        else:
            if arrival.head.subject:
                parts.append(Text(text=f"Subject: {arrival.head.subject}\n", trust=trust))
            if words.strip():
                parts.append(Text(text=words.rstrip("\n"), trust=trust))
            if quoted:
                parts.append(Text(text=quoted, trust=Trust.UNTRUSTED))
        cut = arrival.size > len(content) or not letter.whole
        parts += keep(letter.attachments, self._context.media, self._limits, cut)
        return parts or [Text(text="[an empty mail]", trust=trust)]

    # --- out ------------------------------------------------------------------------------------

    async def send(self, message: Outgoing) -> str:
        """Send a mail and return its Message-ID, which is the same each time it is tried.

        Raises:
            DeliveryError: It was not sent.
        """
        try:
            submission = self._submission()
        except ConfigError as error:
            raise DeliveryError(error.message, retryable=False, remedy=error.remedy) from None
        target = message.target
        if not is_address(target.chat):
            raise DeliveryError(
                f"{target.chat!r} is no address that a mail can be sent to", retryable=False
            )
        if message.answers and not self._config.auto_reply_enabled:
            self._context.log.info("answer_not_sent", reason="autoReplyEnabled is off")
            return ""
        files, failures = await asyncio.to_thread(to_attach, message.files, self._limits)
        draft = Draft(
            id=message.id,
            sender=submission.sender,
            recipient=target.chat,
            text=message.text,
            at=self._context.clock.now(),
            answers=self._ledger.find(
                target.chat, target.thread, message.reply_to, message.answers
            ),
            automatic=bool(message.answers),
            subject_prefix=self._config.subject_prefix,
            files=files,
        )
        choices = "\n".join(" | ".join(row) for row in message.buttons)
        notes = "\n".join(f"[not attached: {failure}]" for failure in failures)
        text = "\n\n".join(each for each in (message.text, choices, notes) if each)
        await submission.send(compose(replace(draft, text=text)), target.chat)
        return message_id(message.id, submission.sender)


@asynccontextmanager
async def open_channel(config: EmailConfig, context: ChannelContext) -> AsyncIterator[EmailChannel]:
    """Open the channel; it connects when it runs."""
    for password in (config.imap_password, config.smtp_password):
        if password is not None:
            remember_secret(password.reveal())
    yield EmailChannel(config, context)
