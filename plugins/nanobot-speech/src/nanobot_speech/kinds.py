"""Opens the kind ``speech``."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot.hookspecs import hookspec
from nanobot.specs import KindSpec

from nanobot_speech.specs import SpeechSpec


class Hooks:
    """Extension point ``speech``."""

    @hookspec
    def nanobot_speech(self) -> Iterable[SpeechSpec]:  # type: ignore[empty-body]
        """Return vendors that turn speech into text. Entry-point group ``nanobot.v1.speech``."""


@hookimpl
def nanobot_kinds() -> Iterable[KindSpec]:
    """Open the kind."""
    yield KindSpec(name="speech", hookspecs=Hooks, spec=SpeechSpec, title="Speech vendors")
