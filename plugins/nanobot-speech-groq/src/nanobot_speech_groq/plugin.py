"""Offers Groq as a vendor that hears."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot_speech.specs import SpeechSpec


@hookimpl
def nanobot_speech() -> Iterable[SpeechSpec]:
    """Return the vendor."""
    yield SpeechSpec(
        name="groq",
        title="Groq",
        factory="nanobot_speech.uploads:open_speech",
        section="providers.groq",
        default_model="whisper-large-v3",
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
                "base_url": "https://api.groq.com/openai/v1",
                "env_keys": ("GROQ_API_KEY",),
                "env_bases": ("GROQ_BASE_URL",),
                "cut": ("/audio/transcriptions", "/chat/completions"),
                "max_bytes": 8_000_000,
            },
        },
    )
