"""The section ``transcription``."""

from __future__ import annotations

from nanobot.config import PluginConfig
from pydantic import Field


class TranscriptionConfig(PluginConfig):
    """What a user may set about voice messages."""

    enabled: bool = Field(default=True, description="Turn voice messages into text.")
    provider: str | None = Field(
        default=None,
        description="Vendor that hears; its key is in `providers`. null takes `groq`, or the only "
        "one that is installed.",
    )
    model: str | None = Field(
        default=None, description="The vendor's model id; null takes the vendor's usual one."
    )
    language: str | None = Field(
        default=None,
        pattern=r"^[a-z]{2,3}$",
        description="Language that is spoken, such as `de`; null lets the vendor find out.",
    )
    max_duration_sec: int = Field(
        default=120, ge=1, le=600, description="Longest recording, in seconds."
    )
    max_upload_mb: int = Field(
        default=25, ge=1, le=100, description="Largest recording, in megabytes."
    )
