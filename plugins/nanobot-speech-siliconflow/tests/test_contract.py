"""The contract of speech vendors, held by SiliconFlow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nanobot_testing.contracts.speech import SpeechContract
from nanobot_testing.servers.wire import Reply, json_reply


class TestSiliconFlow(SpeechContract):
    plugin = "speech.siliconflow"
    model = "FunAudioLLM/SenseVoiceSmall"

    def answers(self, text: str) -> Sequence[Reply]:
        return [json_reply({"text": text})]

    def test_a_whole_address_is_understood(self, spec: Any, tmp_path: Path) -> None:
        async def check(vendor: Any, server: Any) -> None:
            server.reply(*self.answers("hello"))
            await self.work(vendor)
            assert server.requests[0].path == "/v1/audio/transcriptions"
            assert b'filename="voice.wav"' in server.requests[0].body

        self.using(spec, tmp_path, check, path="/v1/audio/transcriptions")
        self.using(spec, tmp_path, check, path="/v1/")
