"""The contract of a vendor that hears, and what may be wrong with a recording."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from nanobot.errors import NanobotError

Fault = Literal[
    "disabled", "not_configured", "missing_audio", "size", "mime", "duration", "decode", "timeout"
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """Something that was said.

    Args:
        data: The encoded sound.
        media_type: What it is, told by its bytes, such as ``audio/ogg``.
        name: A file name with the ending that belongs to the type.
    """

    data: bytes = field(repr=False)
    media_type: str
    name: str


class Transcriber(Protocol):
    """What a `nanobot_speech.specs.SpeechSpec` factory opens."""

    async def transcribe(self, recording: Recording, *, model: str, language: str | None) -> str:
        """Return what was said; empty when nothing was.

        Calls may overlap. Nothing is retried; that is the caller's business.

        Args:
            model: The vendor's model id.
            language: Two or three letters, None when it is not known.

        Raises:
            ProviderError: The vendor refused or failed, or sent something else.
        """
        ...


class SpeechError(NanobotError):
    """Report a recording that is not transcribed, before any vendor was asked.

    Args:
        fault: What is wrong, in one word that a program may decide on.
    """

    def __init__(self, fault: Fault, message: str, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.fault: Fault = fault
