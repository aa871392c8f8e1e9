"""What a message is made of, and how far each part is to be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Trust(StrEnum):
    """Where content comes from; the mark stays with it into transcript and memory."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """A piece of text."""

    text: str
    trust: Trust = Trust.TRUSTED


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """A picture for a vision model.

    Args:
        data: The encoded bytes.
        media_type: Such as ``image/png``.
        name: File name or caption, shown where the picture can not be.
    """

    data: bytes = field(repr=False)
    media_type: str
    name: str = ""
    trust: Trust = Trust.TRUSTED


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A file that the model reads on demand with its tools."""

    path: str
    media_type: str = ""
    name: str = ""
    trust: Trust = Trust.UNTRUSTED


Part = Text | Image | File


def text_of(parts: tuple[Part, ...]) -> str:
    """Join the text of some parts; pictures and files become a bracketed mention."""
    out = []
    for part in parts:
        if isinstance(part, Text):
            out.append(part.text)
        elif isinstance(part, Image):
            out.append(f"[image: {part.name or part.media_type}]")
        else:
            out.append(f"[file: {part.path}]")
    return "\n".join(out)
