"""Writes mails: answers that find their thread, and that no machine answers."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime

from nanobot_channel_email.identity import domain_of
from nanobot_channel_email.ledger import Note
from nanobot_channel_email.reading import MOST_REFERENCES, one_line

# Long ids must stay whole: folded, they would be encoded, and no longer be found.
_FLAT = policy.SMTP.clone(max_line_length=900, cte_type="7bit")
_IS_ANSWER = re.compile(r"(?:re|aw|sv|antw|r|odp|回复|答复)\s*(?:\[\d+\])?\s*[:：]", re.IGNORECASE)
MOST_SUBJECT = 150


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What a mail is to say.

    Args:
        id: What its Message-ID is made of: the same mail has the same each time it is sent.
        answers: The mail that it answers, if any.
        automatic: Somebody's mail led to it, as opposed to a schedule.
    """

    id: str
    sender: str
    recipient: str
    text: str
    at: datetime
    answers: Note | None = None
    automatic: bool = True
    subject_prefix: str = "Re: "
    files: Sequence[tuple[str, bytes]] = ()


def message_id(id: str, sender: str) -> str:
    """Return the Message-ID of an outgoing message, always the same one."""
    digest = hashlib.sha256(f"{sender}\0{id}".encode("utf-8", "replace")).hexdigest()[:40]
    return f"<nanobot.{digest}@{domain_of(sender)}>"


def compose(draft: Draft) -> EmailMessage:
    """Return the mail."""
    message = EmailMessage(policy=_FLAT)
    message["From"] = draft.sender
    message["To"] = draft.recipient
    message["Subject"] = _subject(draft)
    message["Date"] = format_datetime(draft.at)
    message["Message-ID"] = message_id(draft.id, draft.sender)
    answered = draft.answers
    if answered is not None and answered.id.startswith("<"):
        message["In-Reply-To"] = answered.id
        ids = [each for each in answered.references if each != answered.id]
        message["References"] = " ".join([*ids[:1], *ids[1:][-MOST_REFERENCES:], answered.id])
    # RFC 3834: no machine may answer this; Exchange has a word of its own for it.
    message["Auto-Submitted"] = "auto-replied" if draft.automatic else "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(_clean(draft.text))
    for name, data in draft.files:
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        main, _, sub = kind.partition("/")
        message.add_attachment(
            data, maintype=main, subtype=sub, filename=one_line(name)[:120] or "file"
        )
    return message


def flat(message: EmailMessage) -> bytes:
    """Return a mail as it goes over the wire."""
    return message.as_bytes(policy=_FLAT)


def _subject(draft: Draft) -> str:
    if draft.answers is None:
        lines = [one_line(line) for line in draft.text.split("\n")]
        return next((line for line in lines if line), "Message")[:MOST_SUBJECT].lstrip("# ") or "-"
    subject = one_line(draft.answers.subject)[:MOST_SUBJECT]
    prefix = draft.subject_prefix
    if _IS_ANSWER.match(subject) or (prefix and subject.startswith(prefix)):
        return subject
    return f"{prefix}{subject}".strip() or "Re:"


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n").replace("\x00", "")
