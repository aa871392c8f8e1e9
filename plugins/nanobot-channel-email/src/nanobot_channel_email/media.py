"""Keeps attachments under names that nobody else chose, and reads files to attach."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from nanobot.errors import StorageError
from nanobot.messages import File, Image, Part, Text, Trust
from nanobot_gateway import files
from nanobot_gateway.files import discard

from nanobot_channel_email.reading import Attachment

_UNTYPED = ("application/octet-stream", "application/x-download", "")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Which attachments to take.

    Args:
        types: Patterns of types; none takes nothing.
        size: Largest one, in bytes.
        count: Most of one mail.
    """

    types: tuple[str, ...]
    size: int
    count: int

    @property
    def bytes_on_the_wire(self) -> int:
        """Return how much of a mail is worth fetching: text, and what may be attached in base64."""
        attached = self.size * self.count * 7 // 5 if self.types else 0
        return 1_000_000 + attached


def keep(attachments: Iterable[Attachment], folder: Path, limits: Limits, cut: bool) -> list[Part]:
    """Store the attachments that may be taken, and name those that are not.

    Args:
        cut: The mail was not fetched to its end, so its attachments are not whole.

    Raises:
        StorageError: One could not be stored; none is left behind.
    """
    parts: list[Part] = []
    taken = 0
    try:
        for each in attachments:
            reason = "the mail is too large" if cut else _objection(each, limits, taken)
            name = each.name or each.media_type
            if reason:
                note = f"[attachment not taken: {name} ({reason})]"
                parts.append(Text(text=note, trust=Trust.UNTRUSTED))
                continue
            taken += 1
            parts += _stored(each, folder)
    except StorageError:
        discard(parts)
        raise
    return parts


def _objection(attachment: Attachment, limits: Limits, taken: int) -> str:
    if not _is_allowed(attachment, limits.types):
        return f"type {attachment.media_type} is not in allowedAttachmentTypes"
    if len(attachment.data) > limits.size:
        return f"larger than {limits.size} bytes"
    if taken >= limits.count:
        return f"more than {limits.count}"
    return ""


def _is_allowed(attachment: Attachment, patterns: tuple[str, ...]) -> bool:
    kind = attachment.media_type.lower()
    if kind in _UNTYPED:
        kind = files.sniff(io.BytesIO(attachment.data)).media_type
    return any(fnmatchcase(kind, pattern.lower()) for pattern in patterns)


def _stored(attachment: Attachment, folder: Path) -> list[Part]:
    kept = files.keep(attachment.data, folder)
    kind = kept.kind.media_type if kept.kind.picture else attachment.media_type
    parts: list[Part] = [File(path=str(kept.path), media_type=kind, name=attachment.name)]
    if kept.kind.picture:
        name = attachment.name or "picture"
        picture = Image(data=attachment.data, media_type=kind, name=name, trust=Trust.UNTRUSTED)
        parts.append(picture)
    return parts


def to_attach(paths: Iterable[Path], limits: Limits) -> tuple[list[tuple[str, bytes]], list[str]]:
    """Read files to attach: their names and contents, and why others are not attached."""
    found: list[tuple[str, bytes]] = []
    failures: list[str] = []
    for path in paths:
        try:
            if len(found) >= limits.count:
                raise ValueError(f"more than {limits.count}")
            with path.open("rb") as file:
                data = file.read(limits.size + 1)
            if len(data) > limits.size:
                raise ValueError(f"larger than {limits.size} bytes")
            found.append((path.name, data))
        except OSError as error:
            failures.append(f"{path.name} ({error.strerror})")
        except ValueError as error:
            failures.append(f"{path.name} ({error})")
    return found, failures
