"""StepFun, which answers in server-sent events.

Source: StepFun's API reference, "ASR over HTTP and SSE".
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from nanobot.context import PluginContext
from nanobot_speech.transcriber import Recording
from nanobot_vendor_http.api import Api, at, open_api
from nanobot_vendor_http.config import Credentials
from nanobot_vendor_http.service import Service

SERVICE = Service(
    base_url="https://api.stepfun.com/v1",
    env_keys=("STEPFUN_API_KEY",),
    cut=("/audio/asr/sse", "/audio/transcriptions", "/chat/completions"),
    max_bytes=8_000_000,
)


class StepFun:
    """Implements `nanobot_speech.transcriber.Transcriber`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def transcribe(self, recording: Recording, *, model: str, language: str | None) -> str:
        """Return what was said; see the protocol."""
        wanted = {
            "model": model,
            "enable_itn": True,
            **({"language": language} if language else {}),
        }
        audio = {
            "data": base64.b64encode(recording.data).decode(),
            "input": {
                "transcription": wanted,
                "format": {"type": recording.name.rpartition(".")[2]},
            },
        }
        body = await self._api.send(
            "POST",
            "/audio/asr/sse",
            model=model,
            headers={"accept": "text/event-stream"},
            content=json.dumps({"audio": audio}).encode(),
        )
        for event in events(body):
            if at(event, "type") == "transcript.text.done" and isinstance(at(event, "text"), str):
                return str(event["text"])
            if at(event, "type") == "error" or at(event, "error"):
                raise self._api.refused(event, model)
        raise self._api.malformed("it ends before the words are complete", model)


def events(body: bytes) -> Iterator[Any]:
    """Yield the data of server-sent events, parsed; what is no JSON is left out."""
    for line in body.decode("utf-8", "replace").splitlines():
        if line.startswith("data:"):
            try:
                yield json.loads(line.removeprefix("data:"))
            except (ValueError, RecursionError):
                continue


@asynccontextmanager
async def open_speech(config: Credentials, context: PluginContext) -> AsyncIterator[StepFun]:
    """Open the vendor."""
    async with open_api(config, context, SERVICE) as api:
        yield StepFun(api)
