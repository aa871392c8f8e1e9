"""AssemblyAI, where a transcript is a task.

Source: AssemblyAI's API reference, "Upload a media file", "Transcribe audio", "Get transcript".
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from nanobot import errors
from nanobot.context import PluginContext
from nanobot_speech.transcriber import Recording
from nanobot_vendor_http.api import Api, at, open_api
from nanobot_vendor_http.config import Credentials
from nanobot_vendor_http.service import Service

SERVICE = Service(
    base_url="https://api.assemblyai.com/v2",
    env_keys=("ASSEMBLYAI_API_KEY",),
    env_bases=("ASSEMBLYAI_BASE_URL",),
    key_header="authorization",
    max_bytes=8_000_000,
)
PAUSE_S = 2.0
LOOKS = 60


class AssemblyAI:
    """Implements `nanobot_speech.transcriber.Transcriber`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def transcribe(self, recording: Recording, *, model: str, language: str | None) -> str:
        """Return what was said; see the protocol."""
        uploaded = await self._api.upload("/upload", recording.data, model=model)
        spoken: dict[str, Any] = (
            {"language_code": language} if language else {"language_detection": True}
        )
        body = {
            "audio_url": self._word(uploaded, "upload_url", model),
            "speech_models": [name.strip() for name in model.split(",")],
            **spoken,
        }
        started = await self._api.post("/transcript", body, model=model)
        id = self._word(started, "id", model)
        if not id.replace("-", "").isalnum():
            raise self._api.malformed("the id of the transcript is none", model)
        for look in range(LOOKS):
            if look:
                await self._api.clock.sleep(PAUSE_S)
            answer = await self._api.get(f"/transcript/{id}", model=model)
            status = at(answer, "status")
            if status == "completed":
                return str(at(answer, "text") or "")
            if status == "error":
                raise errors.BadRequest(
                    f"Provider assemblyai could not transcribe it: {at(answer, 'error')}",
                    provider="assemblyai",
                    model=model,
                )
        raise errors.ProviderTimeout(
            f"Provider assemblyai did not finish within {LOOKS * PAUSE_S:g} s",
            provider="assemblyai",
            model=model,
            remedy="Try again.",
        )

    def _word(self, answer: Any, name: str, model: str) -> str:
        found = at(answer, name)
        if not isinstance(found, str) or not found:
            raise self._api.malformed(f"there is no {name} in it", model)
        return found


@asynccontextmanager
async def open_speech(config: Credentials, context: PluginContext) -> AsyncIterator[AssemblyAI]:
    """Open the vendor."""
    async with open_api(config, context, SERVICE) as api:
        yield AssemblyAI(api)
