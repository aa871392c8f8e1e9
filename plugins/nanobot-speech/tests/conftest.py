"""What the tests share: a vendor that hears what it is told to, and recordings."""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nanobot.context import Extension
from nanobot.messages import File, Part
from nanobot_speech.enricher import Speech, open_enricher
from nanobot_speech.specs import SpeechSpec
from nanobot_testing import load_spec, make_context, run
from nanobot_testing.lab import FakeClock


class Ear:
    """A vendor: says its answers in turn, and raises those that are errors."""

    def __init__(self, name: str = "groq", **spec: Any) -> None:
        self.spec = SpeechSpec(
            name=name,
            factory="tests:open_speech",
            title=name.title(),
            **{"default_model": "whisper", **spec},
        )
        self.answers: list[str | Exception] = ["hello world"]
        self.heard: list[tuple[Any, str, str | None]] = []

    async def transcribe(self, recording: Any, *, model: str, language: str | None) -> str:
        self.heard.append((recording, model, language))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Any]:
        yield self


class Room:
    """Opens the enricher with some vendors and runs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ear = Ear()
        self.ears = [self.ear]
        self.clock = FakeClock()
        self.config: dict[str, Any] = {}

    def extensions(self, kind: str) -> Mapping[str, Extension]:
        ears = self.ears if kind == "speech" else []
        return {ear.spec.name: Extension(spec=ear.spec, open=ear.open) for ear in ears}

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Speech]:
        spec = load_spec("enrichers.speech")
        context = make_context(spec, self.folder, plugin="enrichers.speech")
        context = replace(context, clock=self.clock, extensions=self.extensions)
        async with open_enricher(spec.config.model_validate(self.config), context) as speech:
            yield speech

    def file(self, data: bytes, name: str = "voice.ogg", media_type: str = "audio/ogg") -> File:
        """Store a recording as a channel does."""
        path = self.folder / name
        path.write_bytes(data)
        return File(path=str(path), media_type=media_type, name=name)

    def enrich(self, *parts: Part) -> tuple[Part, ...]:
        async def work() -> tuple[Part, ...]:
            async with self.opened() as speech:
                made = await speech.enrich(parts)
                assert speech.wants(parts) == (made != parts)
                return made

        return run(work())

    def transcribe(self, data: bytes) -> str:
        async def work() -> str:
            async with self.opened() as speech:
                return await speech.transcribe(data)

        return run(work())


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def _wav(seconds: float) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(b"\x80" * int(8000 * seconds))
    return buffer.getvalue()


@pytest.fixture
def wav() -> Any:
    """Return a function that makes a recording of some seconds."""
    return _wav
