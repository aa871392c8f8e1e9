"""Turns voice messages into text: parts in, parts out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path, PurePath

from nanobot.context import Extension, PluginContext
from nanobot.errors import NanobotError, ProviderError
from nanobot.messages import File, Part, Text, Trust
from nanobot_settings.spelling import snake

from nanobot_speech.audio import ENDINGS, SUFFIXES, media_type, seconds
from nanobot_speech.config import TranscriptionConfig
from nanobot_speech.specs import SpeechSpec
from nanobot_speech.transcriber import Recording, SpeechError

PREFERRED = "groq"
PAUSES_S = (1.0, 2.0, 4.0)
LONGEST_PAUSE_S = 10.0
DEADLINE_S = 240.0
SLACK_S = 1.0  # what a recorder may add to the duration that it was told
MEGABYTE = 1_000_000


class Speech:
    """Hears what people say.

    Args:
        config: The section ``transcription``.
        context: Knows the vendors and the time.
    """

    def __init__(self, config: TranscriptionConfig, context: PluginContext) -> None:
        self._config = config
        self._context = context

    # --- messages -------------------------------------------------------------------------------

    def wants(self, parts: tuple[Part, ...]) -> bool:
        """Tell whether `enrich` would change anything; never waits."""
        return self._config.enabled and any(map(is_recording, parts))

    async def enrich(self, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        """Return the parts with each recording's words before it.

        The words are marked untrusted. A recording that can not be transcribed gets a text that
        says so and why; it is never silently an empty message. The recordings stay.
        """
        if not self.wants(parts):
            return parts
        made = await asyncio.gather(*(self._enriched(part) for part in parts))
        return tuple(part for group in made for part in group)

    async def _enriched(self, part: Part) -> tuple[Part, ...]:
        if not isinstance(part, File) or not is_recording(part):
            return (part,)
        try:
            data = await asyncio.to_thread(self._read, Path(part.path))
            words = await self.transcribe(data)
        except NanobotError as error:
            self._context.log.warning("not_transcribed", reason=error.message)
            return (Text(text=f"[voice message: not transcribed. {error.message}]"), part)
        if not words:
            return (Text(text="[voice message: nothing was understood in it]"), part)
        return (Text(text=f"[transcription: {words}]", trust=Trust.UNTRUSTED), part)

    def _read(self, path: Path) -> bytes:
        """Read a recording, as far as it may be long; blocks."""
        try:
            with path.open("rb") as file:
                return file.read(self._most + 1)
        except OSError as error:
            raise SpeechError(
                "missing_audio", f"The recording can not be read: {error.strerror}"
            ) from None

    # --- recordings -----------------------------------------------------------------------------

    async def transcribe(self, data: bytes) -> str:
        """Return what is said in a recording; empty when nothing is.

        Passing failures are retried.

        Raises:
            SpeechError: It is not transcribed, for the reason in `SpeechError.fault`.
            NanobotError: The vendor refused or failed for good, or can not be opened.
        """
        if not self._config.enabled:
            raise SpeechError("disabled", "Transcription is switched off (transcription.enabled).")
        recording = await asyncio.to_thread(self._checked, data)
        vendor, spec = self._vendor()
        _check_for(spec, recording)
        try:
            async with asyncio.timeout(DEADLINE_S), vendor.open() as transcriber:
                for pause in (*PAUSES_S, None):
                    try:
                        words: str = await transcriber.transcribe(
                            recording,
                            model=self._config.model or spec.default_model,
                            language=self._config.language,
                        )
                        return words.strip()
                    except ProviderError as error:
                        if pause is None or not _passes(error):
                            raise
                        await self._context.clock.sleep(max(pause, error.retry_after or 0.0))
        except TimeoutError:
            raise SpeechError(
                "timeout", f"{spec.title} did not answer within {DEADLINE_S:g} s."
            ) from None
        raise AssertionError("unreachable")

    @property
    def _most(self) -> int:
        return self._config.max_upload_mb * MEGABYTE

    def _checked(self, data: bytes) -> Recording:
        """Return a recording that was looked at; a `SpeechError` says what is wrong with it."""
        if not data:
            raise SpeechError("missing_audio", "The recording is empty.")
        if len(data) > self._most:
            raise SpeechError(
                "size", f"The recording is larger than {self._config.max_upload_mb} MB."
            )
        kind = media_type(data)
        if not kind:
            raise SpeechError("mime", "The file is no recording of a kind that is known.")
        try:
            lasts = seconds(data)
        except ValueError:
            raise SpeechError("decode", "The recording is damaged.") from None
        if lasts is not None and lasts > self._config.max_duration_sec + SLACK_S:
            raise SpeechError(
                "duration", f"The recording lasts longer than {self._config.max_duration_sec} s."
            )
        return Recording(data=data, media_type=kind, name=f"voice{SUFFIXES[kind]}")

    # --- vendors --------------------------------------------------------------------------------

    def _vendor(self) -> tuple[Extension, SpeechSpec]:
        """Return the vendor that the configuration names, or the one that goes without saying."""
        vendors = self._context.extensions("speech")
        found = _named(vendors, self._config.provider or _unsaid(vendors))
        spec = found.spec
        assert isinstance(spec, SpeechSpec)
        return found, spec


def is_recording(part: Part) -> bool:
    """Tell whether a part is a file that may be a recording, by what was said of it."""
    if not isinstance(part, File):
        return False
    if part.media_type and part.media_type != "application/octet-stream":
        return part.media_type.startswith("audio/")
    return PurePath(part.name or part.path).suffix.lower() in ENDINGS


def _check_for(spec: SpeechSpec, recording: Recording) -> None:
    """Refuse what a vendor does not take."""
    if spec.media_types and recording.media_type not in spec.media_types:
        takes = ", ".join(SUFFIXES[kind][1:] for kind in spec.media_types)
        raise SpeechError(
            "mime", f"{spec.title} takes {takes}, not {SUFFIXES[recording.media_type][1:]}."
        )
    if spec.max_bytes and len(recording.data) > spec.max_bytes:
        raise SpeechError(
            "size", f"{spec.title} takes recordings up to {spec.max_bytes // MEGABYTE} MB."
        )


def _unsaid(vendors: Mapping[str, Extension]) -> str:
    """Return the vendor to use when the configuration names none."""
    return next(iter(vendors)) if len(vendors) == 1 else PREFERRED


def _named(vendors: Mapping[str, Extension], name: str) -> Extension:
    wanted = snake(name.strip())
    for extension in vendors.values():
        spec = extension.spec
        if wanted == spec.name or (isinstance(spec, SpeechSpec) and wanted in spec.aliases):
            return extension
    known = ", ".join(sorted(vendors)) or "none"
    raise SpeechError(
        "not_configured",
        f"No usable speech vendor is called {wanted} (usable: {known}). "
        f"pip install nanobot-speech-{wanted.replace('_', '-')}, or set transcription.provider.",
    )


def _passes(error: ProviderError) -> bool:
    """Tell whether a failure is likely to be over after a short while."""
    return error.retryable and (error.retry_after or 0.0) <= LONGEST_PAUSE_S


@asynccontextmanager
async def open_enricher(
    config: TranscriptionConfig, context: PluginContext
) -> AsyncIterator[Speech]:
    """Open the enricher; the vendor is opened with the first recording."""
    yield Speech(config, context)
