"""Voice messages: parts in, parts out."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from nanobot import errors
from nanobot.messages import File, Image, Text, Trust
from nanobot_speech.enricher import Speech
from nanobot_speech.transcriber import SpeechError
from nanobot_testing import run


def test_words_come_before_the_recording(room: Any, wav: Any) -> None:
    words, voice = Text(text="listen:"), room.file(wav(1))
    picture = Image(data=b"\x89PNG", media_type="image/png")
    made = room.enrich(words, voice, picture)
    said = Text(text="[transcription: hello world]", trust=Trust.UNTRUSTED)
    assert made == (words, said, voice, picture)
    ((recording, model, language),) = room.ear.heard
    assert (recording.media_type, recording.name) == ("audio/wav", "voice.wav")
    assert (model, language) == ("whisper", None)


def test_settings_reach_the_vendor(room: Any, wav: Any) -> None:
    room.config = {"model": "large", "language": "de"}
    assert room.transcribe(wav(1)) == "hello world"
    assert room.ear.heard[0][1:] == ("large", "de")


def test_other_parts_are_left_alone(room: Any) -> None:
    parts = (
        Text(text="hi"),
        File(path="/gone/report.pdf", media_type="application/pdf"),
        File(path="/gone/clip.mp4", media_type="video/mp4"),
        File(path="/gone/notes.txt"),
    )
    assert room.enrich(*parts) == parts
    assert not room.ear.heard


def test_switched_off_nothing_changes(room: Any, wav: Any) -> None:
    room.config = {"enabled": False}
    voice = room.file(wav(1))
    assert room.enrich(voice) == (voice,)
    with pytest.raises(SpeechError) as caught:
        room.transcribe(wav(1))
    assert caught.value.fault == "disabled"


@pytest.mark.parametrize("media_type", ["", "application/octet-stream", "audio/x-unheard-of"])
def test_a_recording_is_known_by_its_name_or_its_type(room: Any, wav: Any, media_type: str) -> None:
    voice = room.file(wav(1), "VOICE.OGA", media_type)
    assert len(room.enrich(voice)) == 2


def test_silence_is_told(room: Any, wav: Any) -> None:
    room.ear.answers = [" \n"]
    text, _ = room.enrich(room.file(wav(1)))
    assert isinstance(text, Text) and text.text == "[voice message: nothing was understood in it]"


def test_a_failure_is_told_and_the_recording_kept(
    room: Any, wav: Any, caplog: pytest.LogCaptureFixture
) -> None:
    room.ear.answers = [errors.AuthError("Provider groq refused the key")]
    voice = room.file(wav(1))
    with caplog.at_level(logging.DEBUG):
        text, kept = room.enrich(voice)
    assert kept == voice and text.trust is Trust.TRUSTED
    assert text.text == "[voice message: not transcribed. Provider groq refused the key]"
    assert len(room.ear.heard) == 1


def test_a_lost_recording_is_told(room: Any) -> None:
    text, _ = room.enrich(File(path=str(room.folder / "gone.ogg"), media_type="audio/ogg"))
    assert "can not be read" in text.text


def test_several_recordings_are_heard_at_once(room: Any, wav: Any) -> None:
    together = asyncio.Barrier(3)

    async def transcribe(recording: Any, *, model: str, language: str | None) -> str:
        await together.wait()
        return str(len(recording.data))

    room.ear.transcribe = transcribe
    voices = [room.file(wav(n), f"{n}.ogg") for n in (1, 2, 3)]
    made = room.enrich(*voices)
    assert [part.text for part in made[::2]] == [
        f"[transcription: {8000 * n + 44}]" for n in (1, 2, 3)
    ]


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "missing_audio"),
        (b"%PDF-1.7", "mime"),
        (b"<script>", "mime"),
        (b"OggS", "decode"),
        (b"fLaC" + bytes(10), "decode"),
        (b"\x1a\x45\xdf\xa3webm", ""),
        (b"\xff\xf1\x50\x80aac", ""),
        (b"\x00\x00\x00\x18ftypM4A ", ""),
        (b"RIFF" + bytes(2**19), "mime"),
        (b"OggS" + bytes(1_100_000), "size"),
    ],
)
def test_recordings_are_looked_at_first(room: Any, data: bytes, fault: str) -> None:
    room.config = {"maxUploadMb": 1}
    if not fault:
        assert room.transcribe(data) == "hello world"
        return
    with pytest.raises(SpeechError) as caught:
        room.transcribe(data)
    assert caught.value.fault == fault
    assert not room.ear.heard


@pytest.mark.parametrize(("seconds", "heard"), [(3, True), (4, True), (5, False)])
def test_a_recording_has_a_longest_duration(
    room: Any, wav: Any, seconds: float, heard: bool
) -> None:
    room.config = {"maxDurationSec": 3}
    text, _ = room.enrich(room.file(wav(seconds)))
    assert ("lasts longer than 3 s" in text.text) != heard
    assert bool(room.ear.heard) == heard


def test_no_more_is_read_than_may_be_sent(room: Any, wav: Any) -> None:
    room.config = {"maxUploadMb": 1}
    path = room.folder / "endless.ogg"
    with path.open("wb") as file:
        file.truncate(10**12)
    text, _ = room.enrich(File(path=str(path), media_type="audio/ogg"))
    assert "larger than 1 MB" in text.text


def test_what_the_vendor_does_not_take_is_not_sent(room: Any, wav: Any) -> None:
    room.ears = [ear] = [type(room.ear)("mimo", media_types=("audio/mpeg",), max_bytes=2_000_000)]
    with pytest.raises(SpeechError, match="Mimo takes mp3, not wav"):
        room.transcribe(wav(1))
    with pytest.raises(SpeechError, match="up to 2 MB"):
        room.transcribe(b"ID3" + bytes(3_000_000))
    assert not ear.heard


# --- which vendor -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "provider", "asked"),
    [
        (["openai", "groq"], None, "groq"),
        (["openai"], None, "openai"),
        (["openai", "groq"], "openai", "openai"),
        (["xiaomi_mimo", "groq"], "xiaomiMimo", "xiaomi_mimo"),
        (["xiaomi_mimo", "groq"], "mimo", "xiaomi_mimo"),
    ],
)
def test_the_vendor(
    room: Any, wav: Any, names: list[str], provider: str | None, asked: str
) -> None:
    room.ears = [type(room.ear)(name, aliases=(name.split("_")[-1],)) for name in names]
    room.config = {"provider": provider}
    assert room.transcribe(wav(1)) == "hello world"
    assert [ear.spec.name for ear in room.ears if ear.heard] == [asked]


@pytest.mark.parametrize(
    ("names", "provider", "cure"),
    [
        ([], None, "pip install nanobot-speech-groq"),
        (["openai", "stepfun"], None, "pip install nanobot-speech-groq"),
        (["openai"], "assemblyai", "pip install nanobot-speech-assemblyai"),
    ],
)
def test_a_missing_vendor_is_named_with_its_cure(
    room: Any, wav: Any, names: list[str], provider: str | None, cure: str
) -> None:
    room.ears = [type(room.ear)(name) for name in names]
    room.config = {"provider": provider}
    text, _ = room.enrich(room.file(wav(1)))
    assert cure in text.text and "transcription.provider" in text.text


# --- attempts -----------------------------------------------------------------------------------


def test_passing_failures_are_tried_again(room: Any, wav: Any) -> None:
    room.ear.answers = [
        errors.OverloadError("busy"),
        errors.RateLimitError("slow", retry_after=7.5),
        errors.TransportError("reset"),
        "at last",
    ]
    assert room.transcribe(wav(1)) == "at last"
    assert room.clock.slept == [1.0, 7.5, 4.0]


def test_attempts_end(room: Any, wav: Any) -> None:
    room.ear.answers = [errors.OverloadError("busy")]
    with pytest.raises(errors.OverloadError):
        room.transcribe(wav(1))
    assert len(room.ear.heard) == 4


@pytest.mark.parametrize(
    "error",
    [
        errors.QuotaError("empty"),
        errors.BadRequest("what"),
        errors.ContentFiltered("no"),
        errors.RateLimitError("tomorrow", retry_after=3600),
    ],
)
def test_other_failures_are_final(room: Any, wav: Any, error: Exception) -> None:
    room.ear.answers = [error]
    with pytest.raises(type(error)):
        room.transcribe(wav(1))
    assert len(room.ear.heard) == 1 and not room.clock.slept


def test_a_vendor_has_a_deadline(room: Any, wav: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def transcribe(recording: Any, **more: Any) -> str:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    monkeypatch.setattr("nanobot_speech.enricher.DEADLINE_S", 0.05)
    room.ear.transcribe = transcribe
    with pytest.raises(SpeechError) as caught:
        room.transcribe(wav(1))
    assert caught.value.fault == "timeout"


def test_cancelling_is_obeyed(room: Any, wav: Any) -> None:
    async def work() -> None:
        heard = asyncio.Event()

        async def transcribe(recording: Any, **more: Any) -> str:
            heard.set()
            await asyncio.Event().wait()
            raise AssertionError("unreachable")

        room.ear.transcribe = transcribe
        async with room.opened() as speech:
            task = asyncio.create_task(_enrich(speech, room.file(wav(1))))
            await heard.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run(work())


async def _enrich(speech: Speech, voice: File) -> None:
    await speech.enrich((voice,))
