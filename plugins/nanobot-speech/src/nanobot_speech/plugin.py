"""Offers to turn the voice messages among what came in into text."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot.specs import Spec

from nanobot_speech.config import TranscriptionConfig


@hookimpl
def nanobot_enrichers() -> Iterable[Spec]:
    """Return the enricher."""
    yield Spec(
        name="speech",
        factory="nanobot_speech.enricher:open_enricher",
        config=TranscriptionConfig,
        title="Voice messages",
        section="transcription",
    )
