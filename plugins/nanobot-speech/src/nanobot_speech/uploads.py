"""The dialect ``POST /audio/transcriptions`` with the recording in a form, which many speak.

Source: OpenAI's API reference, "Create transcription".
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nanobot.context import PluginContext
from nanobot_vendor_http.api import Api, at, open_api
from nanobot_vendor_http.config import Credentials
from nanobot_vendor_http.service import Service

from nanobot_speech.transcriber import Recording

PATH = "/audio/transcriptions"


class Uploads:
    """Implements `nanobot_speech.transcriber.Transcriber`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def transcribe(self, recording: Recording, *, model: str, language: str | None) -> str:
        """Return what was said; see the protocol."""
        fields = {"model": model, "response_format": "json"}
        if language:
            fields["language"] = language
        file = ("file", (recording.name, recording.data, recording.media_type))
        answer = await self._api.post_form(PATH, fields, [file], model=model)
        return text_of(self._api, at(answer, "text"), model)


def text_of(api: Api, found: object, model: str) -> str:
    """Return the words that stand where they should; an error when something else does."""
    if not isinstance(found, str):
        raise api.malformed("there are no words in it", model)
    return found


@asynccontextmanager
async def open_speech(config: Credentials, context: PluginContext) -> AsyncIterator[Uploads]:
    """Open a vendor that its spec's options describe: ``service``."""
    async with open_api(config, context, Service.of(context.options)) as api:
        yield Uploads(api)
