"""Offers SiliconFlow as a vendor that hears."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot_speech.specs import SpeechSpec


@hookimpl
def nanobot_speech() -> Iterable[SpeechSpec]:
    """Return the vendor."""
    yield SpeechSpec(
        name="siliconflow",
        title="SiliconFlow",
        factory="nanobot_speech.uploads:open_speech",
        section="providers.siliconflow",
        default_model="FunAudioLLM/SenseVoiceSmall",
        aliases=("silicon",),
        max_bytes=50_000_000,
        options={
            "service": {
                "base_url": "https://api.siliconflow.cn/v1",
                "env_keys": ("SILICONFLOW_API_KEY",),
                "cut": ("/audio/transcriptions", "/chat/completions"),
                "max_bytes": 8_000_000,
            },
        },
    )
