"""The contract of speech vendors, run against a scripted server of their dialect."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import pytest
from nanobot.specs import Spec

from nanobot_testing.contracts.vendor import VendorContract, VendorServer, carries_the_key, sent
from nanobot_testing.servers.wire import Reply

WAV = b"RIFF\x26\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00" + (
    b"\x80\x3e\x00\x00\x02\x00\x10\x00data\x02\x00\x00\x00\x00\x00"
)
"""A recording of one sample, WAV."""

WORDS = "Guten Tag, 世界 🐈"


class SpeechContract(VendorContract):
    """Promises of a vendor that turns speech into text.

    Attributes:
        model: A model id that the vendor takes.
        language: A language that the vendor can be told.
    """

    model: ClassVar[str] = "test-model"
    language: ClassVar[str] = "sv"

    def answers(self, text: str) -> Sequence[Reply]:
        """Return what the vendor's server sends, request by request, for these words."""
        pytest.fail("give the contract its answers")

    def recording(self, **changes: Any) -> Any:
        """Return something to transcribe."""
        fields = {"data": WAV, "media_type": "audio/wav", "name": "voice.wav", **changes}
        return import_module("nanobot_speech.transcriber").Recording(**fields)

    async def work(self, vendor: Any) -> Any:
        """Ask for the words of a recording."""
        return await vendor.transcribe(self.recording(), model=self.model, language=self.language)

    def test_the_words_come_back(self, spec: Spec, tmp_path: Path) -> None:
        async def check(vendor: Any, server: VendorServer) -> None:
            server.reply(*self.answers(WORDS))
            assert await self.work(vendor) == WORDS
            bodies = [request.body for request in server.requests]
            assert any(WAV in body or base64.b64encode(WAV) in body for body in bodies)
            asked = [sent(request) for request in server.requests]
            assert any(self.model in body for body in asked)
            assert any(self.language in body for body in asked)
            assert all(carries_the_key(request) for request in server.requests)

        self.using(spec, tmp_path, check)

    def test_the_language_may_be_unknown(self, spec: Spec, tmp_path: Path) -> None:
        async def check(vendor: Any, server: VendorServer) -> None:
            server.reply(*self.answers(WORDS))
            found = await vendor.transcribe(self.recording(), model=self.model, language=None)
            assert found == WORDS
            assert not any(self.language in sent(request) for request in server.requests)

        self.using(spec, tmp_path, check)

    def test_silence_is_no_error(self, spec: Spec, tmp_path: Path) -> None:
        async def check(vendor: Any, server: VendorServer) -> None:
            server.reply(*self.answers(""))
            assert await self.work(vendor) == ""

        self.using(spec, tmp_path, check)
