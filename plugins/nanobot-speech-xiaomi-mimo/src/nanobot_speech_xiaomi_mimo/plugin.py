"""Offers Xiaomi MiMo as a vendor that hears."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot_speech.specs import SpeechSpec


@hookimpl
def nanobot_speech() -> Iterable[SpeechSpec]:
    """Return the vendor."""
    yield SpeechSpec(
        name="xiaomi_mimo",
        title="Xiaomi MiMo",
        factory="nanobot_speech_xiaomi_mimo.vendor:open_speech",
        section="providers.xiaomiMimo",
        default_model="mimo-v2.5-asr",
        aliases=("mimo", "xiaomi"),
        media_types=("audio/mpeg", "audio/wav"),
        max_bytes=7_500_000,
    )
