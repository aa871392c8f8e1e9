"""Which of the two dialects is spoken, and what that costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from nanobot import errors
from nanobot.messages import FinishReason, Usage
from nanobot.provider import ModelEvent, ModelFinish, ModelInfo, ModelRequest, ModelText
from nanobot_provider_openai.auto import AutoProvider, Incompatible
from nanobot_provider_openai.provider import is_openai
from nanobot_testing import load_spec, open_spec, run
from nanobot_testing.contracts.provider import KEY, answer, ask, collect
from nanobot_testing.servers.chat import ChatServer
from nanobot_testing.servers.responses import ResponsesServer
from nanobot_testing.servers.wire import json_reply


class HeldClock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


class Scripted:
    """A provider that says its name or raises."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked = 0
        self.fault: errors.ProviderError | None = None

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        self.asked += 1
        if self.fault:
            raise self.fault
        yield ModelText(text=self.name)
        yield ModelFinish(reason=FinishReason.STOP, usage=Usage(calls=1))

    async def list_models(self) -> Sequence[ModelInfo]:
        return [ModelInfo(id=self.name)]


class Pair:
    """An automatic provider over two scripted ones."""

    def __init__(self) -> None:
        self.responses = Scripted("responses")
        self.chat = Scripted("chat")
        self.opened = 0
        self.clock = HeldClock()
        self.auto = AutoProvider(self.responses, self._open, self.clock)

    async def _open(self) -> Scripted:
        self.opened += 1
        return self.chat

    async def ask(self, **changes: Any) -> str:
        return answer(await collect(self.auto.stream(ask(**changes))))


@pytest.mark.parametrize(
    ("api_base", "expected"),
    [
        (None, True),
        ("https://api.openai.com/v1", True),
        ("https://eu.api.openai.com/v1", True),
        ("http://localhost:8000/v1", False),
        ("https://api.openai.com.evil.example/v1", False),
        ("https://notapi.openai.com.example", False),
        ("https://gateway.example/api.openai.com", False),
        ("http://[::1", False),
    ],
)
def test_openais_own_addresses(api_base: str | None, expected: bool) -> None:
    assert is_openai(api_base) is expected


@asynccontextmanager
async def opened(folder: Path, **section: Any) -> AsyncIterator[Any]:
    spec = load_spec("providers.openai")
    async with open_spec(spec, {"apiKey": KEY, **section}, folder) as provider:
        yield provider


def test_auto_speaks_chat_with_other_servers(tmp_path: Path) -> None:
    async def go() -> None:
        async with ChatServer() as server, opened(tmp_path, apiBase=server.base_url) as provider:
            server.reply(server.text("ok"))
            assert answer(await collect(provider.stream(ask(model="gpt-5.4-mini")))) == "ok"
            sent = server.requests[-1]
            assert sent.path == "/v1/chat/completions"
            assert "max_completion_tokens" in sent.json and "max_tokens" not in sent.json

    run(go())


def test_auto_prefers_responses_with_openai_itself(tmp_path: Path) -> None:
    async def go() -> None:
        async with opened(tmp_path) as provider:
            assert isinstance(provider, AutoProvider)

    run(go())


def test_a_configured_dialect_has_no_way_out(tmp_path: Path) -> None:
    async def go() -> None:
        async with ResponsesServer() as server:
            section = {"apiType": "responses", "apiBase": server.base_url}
            async with opened(tmp_path, **section) as provider:
                message = "This model is only supported in v1/chat/completions."
                error = {"message": message, "type": "invalid_request_error", "code": None}
                server.reply(json_reply({"error": error}, status=404))
                with pytest.raises(Incompatible, match="v1/chat/completions"):
                    await collect(provider.stream(ask()))
                error = {"message": "Unknown parameter", "code": "unknown_parameter"}
                server.reply(json_reply({"error": error}, status=400))
                with pytest.raises(Incompatible):
                    await collect(provider.stream(ask()))
                assert len(server.requests) == 2

    run(go())


def test_an_incompatible_request_is_answered_by_chat_at_once() -> None:
    pair = Pair()

    async def go() -> None:
        assert await pair.ask() == "responses"
        assert pair.opened == 0
        pair.responses.fault = Incompatible("no")
        assert await pair.ask() == "chat"
        assert await pair.ask() == "chat"
        assert pair.opened == 1 and pair.responses.asked == 3
        assert [model.id for model in await pair.auto.list_models()] == ["responses"]

    run(go())


def test_after_three_refusals_responses_rests_for_five_minutes() -> None:
    pair = Pair()

    async def go() -> None:
        pair.responses.fault = Incompatible("no")
        for _ in range(5):
            assert await pair.ask(model="a") == "chat"
        assert pair.responses.asked == 3
        assert await pair.ask(model="b") == "chat"
        assert await pair.ask(model="a", reasoning_effort="high") == "chat"
        assert pair.responses.asked == 5, "another model and another effort are asked themselves"
        pair.clock.seconds = 299
        assert await pair.ask(model="a") == "chat" and pair.responses.asked == 5
        pair.clock.seconds = 301
        assert await pair.ask(model="a") == "chat" and pair.responses.asked == 6
        assert await pair.ask(model="a") == "chat" and pair.responses.asked == 6
        pair.clock.seconds = 602
        pair.responses.fault = None
        assert await pair.ask(model="a") == "responses"
        pair.responses.fault = Incompatible("no")
        assert await pair.ask(model="a") == "chat" and pair.responses.asked == 8

    run(go())


@pytest.mark.parametrize(
    "fault",
    [errors.BadRequest("no"), errors.RateLimitError("no"), errors.ContextOverflow("no")],
)
def test_other_errors_are_not_taken_elsewhere(fault: errors.ProviderError) -> None:
    pair = Pair()

    async def go() -> None:
        pair.responses.fault = fault
        for _ in range(5):
            with pytest.raises(type(fault)):
                await pair.ask()
        assert pair.opened == 0 and pair.responses.asked == 5

    run(go())


LAZY = """
import asyncio, sys
from pathlib import Path
from nanobot_testing import load_spec, open_spec

async def go():
    spec = load_spec("providers.openai")
    assert not {"openai", "nanobot_provider_compat"} & set(sys.modules)
    section = {"apiKey": "k", "apiType": sys.argv[1]}
    async with open_spec(spec, section, Path()):
        print(" ".join(sorted({"openai", "nanobot_provider_compat.provider"} & set(sys.modules))))

asyncio.run(go())
"""


@pytest.mark.parametrize(
    ("api_type", "loaded"),
    [("chat_completions", "nanobot_provider_compat.provider"), ("responses", "openai")],
)
def test_only_the_spoken_dialect_is_imported(api_type: str, loaded: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LAZY, api_type], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == loaded
