"""The contract of speech vendors, held by Xiaomi MiMo."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from nanobot_testing.contracts.speech import WAV, SpeechContract
from nanobot_testing.servers.wire import Reply, json_reply


class TestXiaomiMimo(SpeechContract):
    plugin = "speech.xiaomi_mimo"
    model = "mimo-v2.5-asr"
    language = "zh"

    def answers(self, text: str) -> Sequence[Reply]:
        message = {"role": "assistant", "content": text, "audio": None}
        return [json_reply({"choices": [{"finish_reason": "stop", "message": message}]})]

    @pytest.mark.parametrize(("language", "sent"), [("en", "en"), ("sv", "auto"), (None, "auto")])
    def test_what_is_sent(self, spec: Any, tmp_path: Path, language: str | None, sent: str) -> None:
        async def check(vendor: Any, server: Any) -> None:
            server.reply(*self.answers("hello"))
            await vendor.transcribe(self.recording(), model=self.model, language=language)
            request = server.requests[0]
            assert request.path == "/chat/completions"
            assert request.json["asr_options"] == {"language": sent}
            (part,) = request.json["messages"][0]["content"]
            url = f"data:audio/wav;base64,{base64.b64encode(WAV).decode()}"
            assert part == {"type": "input_audio", "input_audio": {"data": url}}

        self.using(spec, tmp_path, check)
