"""Offers AssemblyAI as a vendor that hears."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot_speech.specs import SpeechSpec


@hookimpl
def nanobot_speech() -> Iterable[SpeechSpec]:
    """Return the vendor."""
    yield SpeechSpec(
        name="assemblyai",
        title="AssemblyAI",
        factory="nanobot_speech_assemblyai.vendor:open_speech",
        section="providers.assemblyai",
        default_model="universal-3-pro,universal-2",
    )
