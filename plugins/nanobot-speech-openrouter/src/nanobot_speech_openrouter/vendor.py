"""OpenRouter.

Source: OpenRouter's guide "Speech-to-Text".
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nanobot.context import PluginContext
from nanobot_speech.transcriber import Recording
from nanobot_speech.uploads import PATH, text_of
from nanobot_vendor_http.api import Api, at, open_api
from nanobot_vendor_http.config import Credentials
from nanobot_vendor_http.service import Service

SERVICE = Service(
    base_url="https://openrouter.ai/api/v1",
    env_keys=("OPENROUTER_API_KEY",),
    env_bases=("OPENROUTER_BASE_URL",),
    cut=("/audio/transcriptions", "/chat/completions"),
    max_bytes=8_000_000,
)


class OpenRouter:
    """Implements `nanobot_speech.transcriber.Transcriber`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def transcribe(self, recording: Recording, *, model: str, language: str | None) -> str:
        """Return what was said; see the protocol."""
        body = {
            "model": model,
            "input_audio": {
                "data": base64.b64encode(recording.data).decode(),
                "format": recording.name.rpartition(".")[2],
            },
            **({"language": language} if language else {}),
        }
        answer = await self._api.post(PATH, body, model=model)
        return text_of(self._api, at(answer, "text"), model)


@asynccontextmanager
async def open_speech(config: Credentials, context: PluginContext) -> AsyncIterator[OpenRouter]:
    """Open the vendor."""
    async with open_api(config, context, SERVICE) as api:
        yield OpenRouter(api)
