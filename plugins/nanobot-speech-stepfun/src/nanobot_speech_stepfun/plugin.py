"""Offers StepFun as a vendor that hears."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot_speech.specs import SpeechSpec


@hookimpl
def nanobot_speech() -> Iterable[SpeechSpec]:
    """Return the vendor."""
    yield SpeechSpec(
        name="stepfun",
        title="StepFun",
        factory="nanobot_speech_stepfun.vendor:open_speech",
        section="providers.stepfun",
        default_model="stepaudio-2.5-asr",
        media_types=("audio/mpeg", "audio/ogg", "audio/wav"),
        max_bytes=50_000_000,
    )
