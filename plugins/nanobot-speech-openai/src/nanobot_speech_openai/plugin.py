"""Offers OpenAI as a vendor that hears."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot_speech.specs import SpeechSpec


@hookimpl
def nanobot_speech() -> Iterable[SpeechSpec]:
    """Return the vendor."""
    yield SpeechSpec(
        name="openai",
        title="OpenAI",
        factory="nanobot_speech.uploads:open_speech",
        section="providers.openai",
        default_model="whisper-1",
        media_types=(
            "audio/flac",
            "audio/mp4",
            "audio/mpeg",
            "audio/ogg",
            "audio/wav",
            "audio/webm",
        ),
        max_bytes=25_000_000,
        options={
            "service": {
                "base_url": "https://api.openai.com/v1",
                "env_keys": ("OPENAI_API_KEY",),
                "env_bases": ("OPENAI_TRANSCRIPTION_BASE_URL",),
                "cut": ("/audio/transcriptions", "/chat/completions"),
                "max_bytes": 8_000_000,
            },
        },
    )
