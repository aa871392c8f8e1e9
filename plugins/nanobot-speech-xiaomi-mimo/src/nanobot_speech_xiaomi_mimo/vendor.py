"""Xiaomi MiMo, which hears in chat completions.

Source: Xiaomi MiMo's reference "Speech Recognition".
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nanobot.context import PluginContext
from nanobot_speech.transcriber import Recording
from nanobot_speech.uploads import text_of
from nanobot_vendor_http.api import Api, at, open_api
from nanobot_vendor_http.config import Credentials
from nanobot_vendor_http.service import Service

SERVICE = Service(
    base_url="https://api.xiaomimimo.com/v1",
    env_keys=("MIMO_API_KEY", "XIAOMIMIMO_API_KEY"),
    env_bases=("MIMO_API_BASE",),
    cut=("/chat/completions",),
    max_bytes=8_000_000,
)
LANGUAGES = ("zh", "en")


class XiaomiMimo:
    """Implements `nanobot_speech.transcriber.Transcriber`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def transcribe(self, recording: Recording, *, model: str, language: str | None) -> str:
        """Return what was said; see the protocol."""
        encoded = base64.b64encode(recording.data).decode()
        audio = {"data": f"data:{recording.media_type};base64,{encoded}"}
        content = [{"type": "input_audio", "input_audio": audio}]
        body = {
            "model": model,
            "messages": [{"role": "user", "content": content}],
            "asr_options": {"language": language if language in LANGUAGES else "auto"},
        }
        answer = await self._api.post("/chat/completions", body, model=model)
        return text_of(self._api, at(answer, "choices", 0, "message", "content"), model)


@asynccontextmanager
async def open_speech(config: Credentials, context: PluginContext) -> AsyncIterator[XiaomiMimo]:
    """Open the vendor."""
    async with open_api(config, context, SERVICE) as api:
        yield XiaomiMimo(api)
