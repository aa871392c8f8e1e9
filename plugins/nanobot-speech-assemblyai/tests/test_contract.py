"""The contract of speech vendors, held by AssemblyAI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nanobot import errors
from nanobot_speech_assemblyai.vendor import open_speech
from nanobot_testing import load_spec, make_context, run
from nanobot_testing.contracts.speech import WAV, SpeechContract
from nanobot_testing.contracts.vendor import KEY, VendorServer
from nanobot_testing.lab import FakeClock
from nanobot_testing.servers.wire import Reply, json_reply

UPLOADED = json_reply({"upload_url": "https://cdn.assemblyai.example/upload/1"})


def transcript(status: str, **more: Any) -> Reply:
    """Return what a look at a transcript gives."""
    return json_reply({"id": "9-f0", "status": status, "text": None, "error": None, **more})


STARTED = transcript("queued")


class TestAssemblyAI(SpeechContract):
    plugin = "speech.assemblyai"
    model = "universal-2"

    def answers(self, text: str) -> Sequence[Reply]:
        return [UPLOADED, STARTED, transcript("completed", text=text)]

    def test_what_is_sent(self, spec: Any, tmp_path: Path) -> None:
        async def check(vendor: Any, server: Any) -> None:
            for language, fields in {
                None: {"language_detection": True},
                "de": {"language_code": "de"},
            }.items():
                server.reply(*self.answers("hello"))
                models = "universal-3-pro, universal-2"
                await vendor.transcribe(self.recording(), model=models, language=language)
                upload, start, look = server.requests[-3:]
                assert (upload.path, upload.body) == ("/upload", WAV)
                assert upload.headers["content-type"] == "application/octet-stream"
                assert upload.headers["authorization"] == KEY
                assert start.path == "/transcript" and look.path == "/transcript/9-f0"
                assert start.json == {
                    "audio_url": "https://cdn.assemblyai.example/upload/1",
                    "speech_models": ["universal-3-pro", "universal-2"],
                    **fields,
                }

        self.using(spec, tmp_path, check)

    def test_a_transcript_that_failed(self, spec: Any, tmp_path: Path) -> None:
        failed = transcript("error", error="File does not appear to contain audio")
        error = self.fails(spec, tmp_path, errors.BadRequest, UPLOADED, STARTED, failed)
        assert "does not appear to contain audio" in str(error)

    @pytest.mark.parametrize("id", ["", "../upload", None, 7])
    def test_an_id_stays_in_its_place(self, spec: Any, tmp_path: Path, id: object) -> None:
        started = json_reply({"id": id, "status": "queued"})
        self.fails(spec, tmp_path, errors.MalformedAnswer, UPLOADED, started)

    @pytest.mark.parametrize("looks", [3, 60])
    def test_a_transcript_is_waited_for(self, tmp_path: Path, looks: int) -> None:
        async def go() -> None:
            clock = FakeClock()
            spec = load_spec(self.plugin)
            context = replace(make_context(spec, tmp_path, plugin=self.plugin), clock=clock)
            async with VendorServer() as server:
                config = spec.config.model_validate({"apiKey": KEY, "apiBase": server.base_url})
                async with open_speech(config, context) as vendor:
                    server.reply(UPLOADED, STARTED, *[transcript("processing")] * looks)
                    server.reply(transcript("completed", text="hello"))
                    if looks < 60:
                        assert await self.work(vendor) == "hello"
                        assert clock.slept == [2.0] * looks
                    else:
                        with pytest.raises(errors.ProviderTimeout, match="120 s"):
                            await self.work(vendor)

        run(go())
