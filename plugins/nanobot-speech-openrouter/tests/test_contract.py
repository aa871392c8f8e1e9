"""The contract of speech vendors, held by OpenRouter."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nanobot_testing.contracts.speech import WAV, SpeechContract
from nanobot_testing.servers.wire import Reply, json_reply


class TestOpenRouter(SpeechContract):
    plugin = "speech.openrouter"
    model = "openai/whisper-1"

    def answers(self, text: str) -> Sequence[Reply]:
        return [json_reply({"text": text, "usage": {"seconds": 2}})]

    def test_what_is_sent(self, spec: Any, tmp_path: Path) -> None:
        async def check(vendor: Any, server: Any) -> None:
            server.reply(*self.answers("hello"))
            await self.work(vendor)
            request = server.requests[0]
            assert request.path == "/audio/transcriptions"
            assert request.json == {
                "model": "openai/whisper-1",
                "input_audio": {"data": base64.b64encode(WAV).decode(), "format": "wav"},
                "language": "sv",
            }

        self.using(spec, tmp_path, check)
