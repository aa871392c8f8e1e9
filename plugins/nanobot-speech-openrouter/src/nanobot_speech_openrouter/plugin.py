"""Offers OpenRouter as a vendor that hears."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot_speech.specs import SpeechSpec


@hookimpl
def nanobot_speech() -> Iterable[SpeechSpec]:
    """Return the vendor."""
    yield SpeechSpec(
        name="openrouter",
        title="OpenRouter",
        factory="nanobot_speech_openrouter.vendor:open_speech",
        section="providers.openrouter",
        default_model="openai/whisper-1",
        max_bytes=25_000_000,
    )
