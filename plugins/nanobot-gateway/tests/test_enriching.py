"""Enrichers make more of a message before its turn."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from nanobot.messages import File, Part, Text, Trust, text_of

VOICE = File(path="/media/v.ogg", media_type="audio/ogg")


class Ears:
    """Hears voice messages."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    def wants(self, parts: tuple[Part, ...]) -> bool:
        return VOICE in parts

    async def enrich(self, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        if self._error:
            raise self._error
        return (*parts, Text(text="spoken words", trust=Trust.UNTRUSTED))


@pytest.mark.parametrize("error", [None, RuntimeError("key sk-CANARYCANARY is wrong")])
def test_a_voice_message_is_read_as_words_or_as_it_is(bench: Any, error: Any, capsys: Any) -> None:
    bench.enricher(Ears(error))
    bench.model.says("I hear you.")

    async def work(gateway: Any) -> None:
        await bench.phone.says("", parts=(VOICE,))
        assert await bench.phone.hears(1) == ["I hear you."]

    bench.run(work)
    told = text_of(bench.model.requests[0].messages[-1].parts)
    assert ("spoken words" in told) is (error is None)
    assert "CANARY" not in capsys.readouterr().err


def test_a_voice_message_does_not_join_the_running_turn_unheard(bench: Any) -> None:
    bench.enricher(Ears())
    release = asyncio.Event()

    async def slow(request: Any) -> Any:
        await release.wait()
        from nanobot_testing.lab import answer

        async for event in answer("One.")(request):
            yield event

    bench.model.then(slow).says("Two.")

    async def work(gateway: Any) -> None:
        await bench.phone.says("hi")
        await bench.phone.says("", parts=(VOICE,))
        release.set()
        assert await bench.phone.hears(2) == ["One.", "Two."]

    bench.run(work)
    assert "spoken words" in text_of(bench.model.requests[1].messages[-1].parts)
