"""The contract of speech vendors, held by StepFun."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nanobot import errors
from nanobot_testing.contracts.speech import WAV, SpeechContract
from nanobot_testing.servers.wire import Reply, sse

DELTA = sse({"type": "transcript.text.delta", "delta": "he"})


class TestStepFun(SpeechContract):
    plugin = "speech.stepfun"
    model = "stepaudio-2.5-asr"

    def answers(self, text: str) -> Sequence[Reply]:
        done = sse({"type": "transcript.text.done", "text": text})
        return [Reply(body=[b": hello\n\n", DELTA, done[:30], done[30:]])]

    def test_what_is_sent(self, spec: Any, tmp_path: Path) -> None:
        async def check(vendor: Any, server: Any) -> None:
            server.reply(*self.answers("hello"))
            await self.work(vendor)
            request = server.requests[0]
            assert request.path == "/audio/asr/sse"
            assert request.headers["accept"] == "text/event-stream"
            audio = request.json["audio"]
            assert audio["data"] == base64.b64encode(WAV).decode()
            wanted = {"model": self.model, "language": "sv", "enable_itn": True}
            assert audio["input"] == {"transcription": wanted, "format": {"type": "wav"}}

        self.using(spec, tmp_path, check)

    def test_an_error_among_the_events(self, spec: Any, tmp_path: Path) -> None:
        event = sse({"type": "error", "message": "too many requests"})
        self.fails(spec, tmp_path, errors.RateLimitError, Reply(body=[DELTA, event]))

    def test_words_that_are_cut_off_are_no_words(self, spec: Any, tmp_path: Path) -> None:
        error = self.fails(spec, tmp_path, errors.MalformedAnswer, Reply(body=[DELTA]))
        assert "before the words are complete" in str(error)
