"""What a plugin of kind ``speech`` offers, as data."""

from __future__ import annotations

from dataclasses import dataclass

from nanobot.config import PluginConfig
from nanobot.specs import Spec
from nanobot_vendor_http.config import Credentials


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeechSpec(Spec):
    """A vendor that hears; its factory opens a `nanobot_speech.transcriber.Transcriber`.

    Args:
        default_model: Model to use when ``transcription.model`` names none.
        aliases: More names under which ``transcription.provider`` may call it.
        media_types: What it takes; empty for all that `nanobot_speech.audio` knows.
        max_bytes: Longest recording that it takes, 0 for no limit of its own.
    """

    config: type[PluginConfig] = Credentials
    default_model: str = ""
    aliases: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ()
    max_bytes: int = 0
