"""Reads mails: headers, the text to show, attachments. Nothing is fetched and nothing is run.

Whatever a mail is like, reading it ends: what can not be read is left out, and said to be.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from email.utils import parsedate_to_datetime
from typing import Any, cast

from nanobot_channel_email.html_text import html_text

MOST_HEADER_CHARS = 4000
MOST_HTML = 200_000
MOST_PARTS = 200
MOST_DEPTH = 40
MOST_LINES = 400_000
MOST_REFERENCES = 20
_ID = re.compile(r"<[^<>\s\x00-\x1f\x7f-\uffff]{1,240}>")
_QUOTE = re.compile(
    r"^(?:>|[-_]{5,}\s*$|-{2,}\s*(?:original|forwarded|weitergeleitet|urspr)[^\n]*$"
    r"|begin forwarded message:"
    r"|(?:on|am|le|el|il|op|den|em)\b[^\n]{1,200}\n?[^\n]{0,100}"
    r"(?:wrote|schrieb|écrit|escribió|scritto|schreef|skrev|escreveu)[^\n]{0,80}:\s*$)",
    re.IGNORECASE | re.MULTILINE,
)
_COMPLICATED = (
    (re.compile(rb"boundary\s{0,9}[*=]", re.IGNORECASE), MOST_DEPTH),
    (re.compile(rb"\n--"), MOST_PARTS * 5),
    (re.compile(rb"\n"), MOST_LINES),
)
_SIGNATURE = re.compile(r"^-- ?$", re.MULTILINE)
_CHARSETS = {"gb2312": "gb18030", "gbk": "gb18030", "ks_c_5601-1987": "cp949", "x-gbk": "gb18030"}
# They are codecs of Python, not charsets of mails, and slow on what was made to be.
_NO_CHARSETS = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"}


class _Policy(policy.EmailPolicy):
    """The modern policy; headers are cut first, since reading long ones takes very long."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, Any]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:MOST_HEADER_CHARS]


_POLICY = _Policy()


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A file in a mail.

    Args:
        name: What the sender calls it; only ever shown.
        media_type: What the sender says it is.
    """

    name: str
    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """What a mail says.

    Args:
        text: Its text.
        attachments: Its files, those inside the text included.
        whole: It was read to its end.
    """

    text: str
    attachments: tuple[Attachment, ...] = ()
    whole: bool = True


class Head:
    """The headers of a mail.

    Args:
        data: A mail, or its beginning up to the empty line.
    """

    def __init__(self, data: bytes) -> None:
        # The older policy interprets nothing, so no header can make it fail.
        message = BytesHeaderParser(policy=policy.compat32).parsebytes(data)
        self._raw = [
            (name.lower(), str(value)[:MOST_HEADER_CHARS]) for name, value in message.raw_items()
        ]

    def all(self, name: str) -> list[str]:
        """Return the values of a header as they stand there, the topmost first."""
        return [value for key, value in self._raw if key == name.lower()]

    def first(self, name: str) -> str:
        """Return the topmost value of a header, empty when there is none."""
        return next(iter(self.all(name)), "")

    @property
    def content_type(self) -> str:
        """Return the type of the whole mail."""
        return self.first("Content-Type").partition(";")[0].strip().lower()

    @property
    def id(self) -> str:
        """Return the Message-ID, empty when there is none that can be used."""
        return next(iter(_ID.findall(self.first("Message-ID"))), "")

    @property
    def references(self) -> tuple[str, ...]:
        """Return the ids of the thread, the oldest first, the answered one last."""
        ids = _ID.findall(" ".join(self.all("References")))
        ids += [id for id in _ID.findall(self.first("In-Reply-To"))[:1] if id not in ids]
        return tuple(dict.fromkeys(ids))

    @property
    def subject(self) -> str:
        """Return the subject in one line."""
        value = self.first("Subject")
        try:
            value = str(
                _POLICY.header_factory("Subject", value.replace("\n", "").replace("\r", ""))
            )
        except Exception:  # the parser has more ways to fail than it documents
            value = value.encode("ascii", "replace").decode("ascii")
        return one_line(value)[:300]

    def written(self, now: datetime) -> datetime | None:
        """Return when it was written, None when it does not say so believably."""
        try:
            date = parsedate_to_datetime(self.first("Date"))
            date = date if date.tzinfo else date.replace(tzinfo=UTC)
            return date if 0 <= (now - date).days < 3650 else None
        except (TypeError, ValueError, OverflowError, IndexError):
            return None


def one_line(text: str) -> str:
    """Return a text without line ends and control characters."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def read(data: bytes, most_chars: int) -> Letter:
    """Read a mail.

    Args:
        data: The mail; may be cut off at the end.
        most_chars: Longest text to return; what is more is said to be left out.
    """
    bounded = _bounded(data)
    texts: list[str] = []
    attachments: list[Attachment] = []
    try:
        message = BytesParser(policy=_POLICY).parsebytes(bounded)
        for part in _leaves(cast(EmailMessage, message)):
            if isinstance(part, Attachment):
                attachments.append(part)
            else:
                texts.append(part)
    except Exception:  # the parser has more ways to fail than it documents
        texts, attachments = [_plain(data)], []
    text = "\n\n".join(text for text in texts if text.strip()).strip()
    return Letter(
        text=_cut(text, most_chars),
        attachments=tuple(attachments),
        whole=len(bounded) == len(data),
    )


def _bounded(data: bytes) -> bytes:
    """Cut a mail where it gets so complicated that reading it would take very long."""
    for pattern, most in _COMPLICATED:
        for count, found in enumerate(pattern.finditer(data)):
            if count == most:
                data = data[: found.start()]
                break
    return data


def _plain(data: bytes) -> str:
    """Return what stands behind the headers of a mail that can not be parsed."""
    body = re.split(rb"\r?\n\r?\n", data, maxsplit=1)[-1]
    return body.decode("utf-8", "replace").replace("\r\n", "\n").replace("\x00", "")


def own_words(text: str) -> tuple[str, str]:
    """Return what the author wrote, and what is quoted or forwarded from there on."""
    found = _QUOTE.search(text)
    return (text[: found.start()], text[found.start() :]) if found else (text, "")


def without_signature(text: str) -> str:
    """Return a text up to the line that begins a signature."""
    return _SIGNATURE.split(text, maxsplit=1)[0]


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return f"{text[:most]}\n[... {len(text) - most} more characters are left out]"


# --- parts --------------------------------------------------------------------------------------


def _leaves(message: EmailMessage) -> Iterator[str | Attachment]:
    """Go through a mail: texts to show, and files."""
    count = 0
    stack: list[tuple[EmailMessage, int, bool]] = [(message, 0, True)]
    while stack and count < MOST_PARTS:
        part, depth, shown = stack.pop()
        count += 1
        kind = _type(part)
        if kind == "message/rfc822" or not part.is_multipart():
            if _is_text(part, kind):
                if shown:
                    yield _text(part, kind)
            else:
                yield _attachment(part, kind)
        elif depth < MOST_DEPTH:
            children = [each for each in part.iter_parts() if isinstance(each, EmailMessage)]
            chosen = _chosen(children) if kind == "multipart/alternative" else None
            for child in reversed(children):
                stack.append((child, depth + 1, shown and (chosen is None or child is chosen)))


def _chosen(alternatives: list[EmailMessage]) -> EmailMessage | None:
    """Choose between forms of the same text: plain text that says something, else the best one."""
    for each in alternatives:
        if _type(each) == "text/plain" and _text(each, "text/plain").strip():
            return each
    shown = [each for each in alternatives if _type(each).startswith(("text/html", "multipart/"))]
    return shown[-1] if shown else None


def _type(part: EmailMessage) -> str:
    try:
        return part.get_content_type()
    except Exception:  # the parser has more ways to fail than it documents
        return "application/octet-stream"


def _file_name(part: EmailMessage) -> str:
    try:
        return one_line(part.get_filename() or "")[:120]
    except Exception:  # the parser has more ways to fail than it documents
        return "unreadable name"


def _is_text(part: EmailMessage, kind: str) -> bool:
    if kind not in ("text/plain", "text/html"):
        return False
    disposition = str(part.get("Content-Disposition", "")).strip().lower()
    return not disposition.startswith("attachment") and not _file_name(part)


def _attachment(part: EmailMessage, kind: str) -> Attachment:
    if kind == "message/rfc822":
        inner = part.get_payload()
        data = _bytes_of(inner[0]) if isinstance(inner, list) and inner else _content(part)
        return Attachment(name=_file_name(part) or "mail.eml", media_type=kind, data=data)
    return Attachment(name=_file_name(part), media_type=kind, data=_content(part))


def _bytes_of(message: Any) -> bytes:
    try:
        return bytes(message.as_bytes(policy=policy.compat32))
    except Exception:  # the generator has more ways to fail than it documents
        return b""


def _content(part: EmailMessage) -> bytes:
    try:
        data = part.get_payload(decode=True)
    except Exception:  # the parser has more ways to fail than it documents
        return b""
    return data if isinstance(data, bytes) else b""


def _text(part: EmailMessage, kind: str) -> str:
    text = _decoded(_content(part), part)
    if kind == "text/html":
        return html_text(text[:MOST_HTML])
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")


def _decoded(data: bytes, part: EmailMessage) -> str:
    """Decode a text by its charset; without a usable one as UTF-8, else as Windows does."""
    try:
        named = (part.get_content_charset() or "utf-8").lower()
        charset = codecs.lookup(_CHARSETS.get(named, named)).name
    except Exception:  # no such codec, or no header that can be read
        charset = "utf-8"
    if charset.replace("-", "_") in _NO_CHARSETS:
        charset = "utf-8"
    if charset == "ascii":
        charset = "utf-8"
    try:
        return data.decode(charset)
    except (UnicodeError, LookupError):
        pass
    try:
        return data.decode("utf-8")
    except UnicodeError:
        return data.decode("cp1252", "replace")
