"""Credentials that are renewed, in both dialects."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from nanobot import errors
from nanobot_provider_compat.vendor import Vendor
from nanobot_provider_openai.chat import open_chat
from nanobot_provider_openai.config import OpenAIConfig
from nanobot_provider_openai.responses import open_responses
from nanobot_testing import load_spec, make_context, run
from nanobot_testing.contracts.provider import answer, ask, collect
from nanobot_testing.servers.chat import ChatServer
from nanobot_testing.servers.responses import ResponsesServer
from nanobot_testing.servers.wire import Act, Reply, Request, json_reply

MODEL = "test-model"


class Tokens:
    """Credentials that count how often they are renewed.

    Attributes:
        current: The token to send.
        good: The tokens that the server takes.
    """

    remedy = "Sign in again."

    def __init__(self) -> None:
        self.current = 1
        self.good = {1}
        self.renewals = 0
        self.fault: errors.ProviderError | None = None

    async def headers(self) -> Mapping[str, str]:
        if self.fault:
            raise self.fault
        return {"authorization": f"Bearer token-{self.current}", "x-account": "a"}

    async def renewed(self, refused: Mapping[str, str]) -> Mapping[str, str] | None:
        if refused != await self.headers():
            return await self.headers()
        if not self.good:
            return None
        self.renewals += 1
        self.current = max(self.good)
        return await self.headers()


Check = Callable[[Any, Any, Tokens], Awaitable[None]]


@pytest.fixture(params=["responses", "chat"])
def talk(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Check], None]:
    """Run a check with an authorised provider of either dialect."""
    made, opened = {
        "responses": (ResponsesServer, responses),
        "chat": (ChatServer, chat),
    }[request.param]

    def start(check: Check) -> None:
        async def go() -> None:
            tokens = Tokens()
            async with made() as server:
                guard(server, tokens)
                config = OpenAIConfig.model_validate({"apiBase": server.base_url})
                context = make_context(
                    load_spec("providers.openai"), tmp_path, plugin="providers.openai"
                )
                async with opened(config, context, tokens) as provider:
                    await check(provider, server, tokens)

        run(go())

    return start


def responses(config: OpenAIConfig, context: Any, tokens: Tokens) -> Any:
    return open_responses(config, context, vendor=Vendor(), credentials=tokens)


def chat(config: OpenAIConfig, context: Any, tokens: Tokens) -> Any:
    return open_chat(config, context, Vendor(), tokens)


def guard(server: Any, tokens: Tokens) -> None:
    usual = server.answer

    def guarded(request: Request) -> Reply:
        good = {f"Bearer token-{number}" for number in tokens.good}
        refusal = {"error": {"message": "no", "code": "invalid_token"}}
        given = request.headers.get("authorization")
        return usual(request) if given in good else json_reply(refusal, status=401)

    server.answer = guarded


def test_each_request_is_authorised_anew(talk: Any) -> None:
    async def check(provider: Any, server: Any, tokens: Tokens) -> None:
        server.reply(server.text("ok"))
        for number in (1, 2):
            tokens.current, tokens.good = number, {number}
            assert answer(await collect(provider.stream(ask(model=MODEL)))) == "ok"
            assert server.requests[-1].headers["authorization"] == f"Bearer token-{number}"
            assert server.requests[-1].headers["x-account"] == "a"
        assert tokens.renewals == 0 and len(server.requests) == 2

    talk(check)


def test_a_refusal_is_tried_once_more(talk: Any) -> None:
    async def check(provider: Any, server: Any, tokens: Tokens) -> None:
        tokens.good = {2}
        server.reply(server.text("ok"))
        assert answer(await collect(provider.stream(ask(model=MODEL)))) == "ok"
        assert tokens.renewals == 1 and len(server.requests) == 2
        tokens.good = {3}
        runs = (collect(provider.stream(ask(model=MODEL))) for _ in range(5))
        assert {answer(events) for events in await asyncio.gather(*runs)} == {"ok"}

    talk(check)


def test_what_can_not_be_renewed_is_an_error_with_a_remedy(talk: Any) -> None:
    async def check(provider: Any, server: Any, tokens: Tokens) -> None:
        tokens.good = set()
        for refused in (collect(provider.stream(ask(model=MODEL))), provider.list_models()):
            with pytest.raises(errors.AuthError) as caught:
                await refused
            assert caught.value.remedy == "Sign in again." and caught.value.status == 401
        assert len(server.requests) == 2

    talk(check)


def test_a_lack_of_permission_is_not_renewed(talk: Any) -> None:
    async def check(provider: Any, server: Any, tokens: Tokens) -> None:
        server.reply(json_reply({"error": {"message": "no"}}, status=403))
        with pytest.raises(errors.AuthError) as caught:
            await collect(provider.stream(ask(model=MODEL)))
        assert caught.value.remedy == "Sign in again."
        assert tokens.renewals == 0 and len(server.requests) == 1

    talk(check)


def test_a_fault_of_the_credentials_comes_through(talk: Any) -> None:
    async def check(provider: Any, server: Any, tokens: Tokens) -> None:
        tokens.fault = errors.OverloadError("the issuer is down", remedy="Wait.")
        with pytest.raises(errors.OverloadError, match="issuer is down") as caught:
            await collect(provider.stream(ask(model=MODEL)))
        assert caught.value.remedy == "Wait." and server.requests == []

    talk(check)


def test_streams_outlive_their_token(talk: Any) -> None:
    async def check(provider: Any, server: Any, tokens: Tokens) -> None:
        server.reply(server.text("first", Act.HANG))
        other = provider.stream(ask(model=MODEL))
        async with aclosing(provider.stream(ask(model=MODEL))) as events:
            await anext(events)
            await anext(other)
            tokens.current, tokens.good = 2, {2}
            server.reply(server.text("second"))
            assert answer(await collect(provider.stream(ask(model=MODEL)))) == "second"
        await server.requests[0].closed.wait()
        assert answer(await collect(provider.stream(ask(model=MODEL)))) == "second"
        assert not server.requests[1].closed.is_set(), "it belongs to another stream"
        await other.aclose()
        await server.requests[1].closed.wait()

    talk(check)
