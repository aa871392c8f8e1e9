"""What Copilot is sent, and how a GitHub login becomes one for it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from nanobot import errors
from nanobot.context import SystemClock
from nanobot.messages import (
    AssistantMessage,
    Image,
    Text,
    ToolCall,
    ToolResult,
    ToolUse,
    UserMessage,
)
from nanobot_oauth.flows import sign_in
from nanobot_provider_github_copilot.config import CopilotConfig
from nanobot_provider_github_copilot.exchange import CopilotToken
from nanobot_provider_github_copilot.provider import VENDOR
from nanobot_testing import load_spec, open_spec
from nanobot_testing.contracts.provider import answer, ask, collect
from nanobot_testing.servers.wire import Act

CHAT = "gpt-4.1"
REASONING = "gpt-5-mini"
PICTURE = Image(data=b"\x89PNG", media_type="image/png")
REMEDY = "Sign in with: nanobot provider login github-copilot"


class Screen:
    """Somebody who enters the code."""

    def __init__(self) -> None:
        self.code = ""

    def show(self, address: str, *, code: str = "") -> None:
        self.code = code

    async def pasted(self) -> str:
        raise AssertionError("nothing is to be pasted")


class Hasty(SystemClock):
    """A clock that waits for nothing."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


def test_from_the_sign_in_to_an_answer(talk: Any) -> None:
    async def check(provider: Any, world: Any) -> None:
        world.issuer.lifetime = None
        world.issuer.device_answers.extend(["authorization_pending", "slow_down"])
        issuer, store = world.login()
        issuer.clock = Hasty()
        screen = Screen()
        tokens = await sign_in(issuer, screen, "device")
        assert screen.code == "ABCD-1234" and tokens.expires_at is None
        assert [request.path for request in world.issuer.requests[:2]] == [
            "/login/device/code",
            "/login/oauth/access_token",
        ]
        store.save(tokens)
        world.server.reply(world.server.text("Hello."))
        assert answer(await collect(provider.stream(ask(model=CHAT)))) == "Hello."
        sent = world.server.requests[-1]
        assert sent.path == "/v1/chat/completions"
        assert sent.headers["copilot-integration-id"] == "vscode-chat"
        assert sent.headers["editor-version"].startswith("vscode/")
        assert tokens.access not in str(sent.headers), "GitHub's own token stays with GitHub"

    talk(check)


def test_reasoning_models_of_openai_are_asked_with_responses(talk: Any) -> None:
    async def check(provider: Any, world: Any) -> None:
        await world.sign_in()
        world.server.reply(world.server.thinking(["Hm."], "Hello."))
        assert answer(await collect(provider.stream(ask(model=REASONING)))) == "Hello."
        sent = world.server.requests[-1]
        assert sent.path == "/v1/responses" and sent.json["store"] is False
        assert sent.headers["copilot-integration-id"] == "vscode-chat"

    talk(check, dialect="responses")


@pytest.mark.parametrize(("dialect", "model"), [("chat", CHAT), ("responses", REASONING)])
def test_pictures_are_announced(talk: Any, dialect: str, model: str) -> None:
    call = ToolCall(id="call_1", name="read_file", arguments="{}")
    shot = AssistantMessage(tool_uses=(ToolUse(call=call, result=ToolResult.ok(PICTURE)),))
    words = UserMessage(parts=(Text(text="hi"),))

    async def check(provider: Any, world: Any) -> None:
        await world.sign_in()
        world.server.reply(world.server.text("ok"))
        announced = []
        for messages in (
            (words,),
            (UserMessage(parts=(Text(text="see"), PICTURE)),),
            (words, shot),
        ):
            await collect(provider.stream(ask(model=model, messages=messages)))
            announced.append(world.server.requests[-1].headers.get("copilot-vision-request"))
        assert announced == [None, "true", "true"]

    talk(check, dialect=dialect)


def test_one_exchange_serves_many(talk: Any) -> None:
    async def check(provider: Any, world: Any) -> None:
        await world.sign_in()
        world.server.reply(world.server.text("ok"))
        runs = (collect(provider.stream(ask(model=CHAT))) for _ in range(8))
        assert {answer(events) for events in await asyncio.gather(*runs)} == {"ok"}
        assert len(world.exchange.requests) == 1

    talk(check)


def test_a_token_is_exchanged_anew_before_its_end(talk: Any) -> None:
    async def check(provider: Any, world: Any) -> None:
        await world.sign_in()
        world.exchange.lifetime = 30
        world.server.reply(world.server.text("ok"))
        for _ in range(3):
            await collect(provider.stream(ask(model=CHAT)))
        assert len(world.exchange.requests) == 3
        assert len(world.server.requests) == 3, "none was refused"

    talk(check)


@pytest.mark.parametrize(("dialect", "model"), [("chat", CHAT), ("responses", REASONING)])
def test_a_refused_token_is_exchanged_once(talk: Any, dialect: str, model: str) -> None:
    async def check(provider: Any, world: Any) -> None:
        await world.sign_in()
        world.server.reply(world.server.text("ok"))
        await collect(provider.stream(ask(model=model)))
        world.exchange.access.clear()
        assert answer(await collect(provider.stream(ask(model=model)))) == "ok"
        assert len(world.exchange.requests) == 2 and len(world.server.requests) == 3
        world.exchange.access.clear()
        world.issuer.forget()
        with pytest.raises(errors.AuthError) as caught:
            await collect(provider.stream(ask(model=model)))
        assert caught.value.remedy == REMEDY
        assert "CANARY" not in str(caught.value) + repr(caught.value)

    talk(check, dialect=dialect)


@pytest.mark.parametrize(("dialect", "model"), [("chat", CHAT), ("responses", REASONING)])
def test_what_is_refused_twice_stays_refused(talk: Any, dialect: str, model: str) -> None:
    async def check(provider: Any, world: Any) -> None:
        await world.sign_in()
        world.exchange.access = set()
        guarded = world.server.answer

        def refuse(request: Any) -> Any:
            world.exchange.access = set()
            return guarded(request)

        world.server.answer = refuse
        for refused in (collect(provider.stream(ask(model=model))), provider.list_models()):
            with pytest.raises(errors.AuthError) as caught:
                await refused
            assert caught.value.remedy == REMEDY
        assert len(world.server.requests) == 4

    talk(check, dialect=dialect)


def test_a_stream_outlives_the_token_that_it_began_with(talk: Any) -> None:
    async def check(provider: Any, world: Any) -> None:
        await world.sign_in()
        world.server.reply(world.server.text("first", Act.HANG))
        async with aclosing(provider.stream(ask(model=CHAT))) as events:
            first = await anext(events)
            world.exchange.access.clear()
            world.server.reply(world.server.text("second"))
            assert answer(await collect(provider.stream(ask(model=CHAT)))) == "second"
            assert not world.server.requests[0].closed.is_set()
        assert answer([first]) == "first"
        await world.server.requests[0].closed.wait()

    talk(check)


@pytest.mark.parametrize(
    ("status", "expected", "remedy"),
    [
        (401, errors.AuthError, REMEDY),
        (403, errors.AuthError, "settings/copilot"),
        (404, errors.AuthError, "settings/copilot"),
        (429, errors.RateLimitError, "Try again"),
        (503, errors.OverloadError, "Try again"),
        (200, errors.MalformedAnswer, "tokenUrl"),
    ],
)
def test_refusals_of_the_exchange_are_typed(
    talk: Any, status: int, expected: type[errors.ProviderError], remedy: str
) -> None:
    async def check(provider: Any, world: Any) -> None:
        await world.sign_in()
        world.exchange.refusal = status
        with pytest.raises(expected) as caught:
            await collect(provider.stream(ask(model=CHAT)))
        assert remedy in caught.value.remedy and "CANARY" not in str(caught.value)
        assert world.server.requests == []

    talk(check)


def test_github_can_not_be_reached(talk: Any) -> None:
    async def check(provider: Any, world: Any) -> None:
        await world.sign_in()
        with pytest.raises(errors.TransportError, match="can not be reached"):
            await collect(provider.stream(ask(model=CHAT)))

    talk(check, config={"tokenUrl": "http://127.0.0.1:9/token"})


def test_another_login_counts_at_once(talk: Any) -> None:
    async def check(provider: Any, world: Any) -> None:
        with pytest.raises(errors.AuthError, match="not signed in") as caught:
            await collect(provider.stream(ask(model=CHAT)))
        assert caught.value.remedy == REMEDY
        await world.sign_in()
        world.server.reply(world.server.text("ok"))
        await collect(provider.stream(ask(model=CHAT)))
        await world.sign_in()
        await collect(provider.stream(ask(model=CHAT)))
        assert len(world.exchange.requests) == 2
        world.login()[1].delete()
        with pytest.raises(errors.AuthError, match="not signed in"):
            await collect(provider.stream(ask(model=CHAT)))

    talk(check)


def test_the_models_of_the_plan(talk: Any) -> None:
    async def check(provider: Any, world: Any) -> None:
        await world.sign_in()
        world.server.models = ("a", "b")
        for _ in range(2):
            assert [model.id for model in await provider.list_models()] == ["a", "b"]
            world.exchange.access.clear()
        assert len(world.exchange.requests) == 2

    talk(check)


def test_the_vendors_own_address_has_no_path(talk: Any) -> None:
    async def check(provider: Any, world: Any) -> None:
        await world.sign_in()
        section = {**world.section, "apiBase": f"http://127.0.0.1:{world.server.port}"}
        spec = load_spec("providers.github_copilot")
        where: Path = world.folder
        async with open_spec(spec, section, where, plugin="providers.github_copilot") as other:
            world.server.reply(world.server.text("ok"))
            await collect(other.stream(ask(model=REASONING)))
        assert world.server.requests[-1].path == "/responses"
        assert VENDOR.base_url == "https://api.githubcopilot.com"

    talk(check, dialect="responses")


def test_tokens_are_never_shown(talk: Any) -> None:
    async def check(provider: Any, world: Any) -> None:
        await world.sign_in()
        token = CopilotToken(
            Signed(world), CopilotConfig.model_validate(world.section), SystemClock()
        )
        assert "CANARY" in str(await token.headers())
        assert "CANARY" not in repr(token)

    talk(check)


class Signed:
    """A session that is signed in."""

    remedy = ""

    def __init__(self, world: Any) -> None:
        self._access = next(iter(world.issuer.access))

    async def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._access}"}
