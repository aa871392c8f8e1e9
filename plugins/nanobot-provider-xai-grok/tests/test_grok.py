"""What Grok is sent, and how a login is used."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from nanobot import errors
from nanobot_oauth.flows import sign_in
from nanobot_testing.contracts.provider import answer, ask, collect
from nanobot_testing.servers.wire import json_reply

MODEL = "grok-4.5"


class User:
    """Somebody at a screen whose browser is sent back at once."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self.seen: list[tuple[str, str]] = []
        self.acting: asyncio.Task[None] | None = None

    def show(self, address: str, *, code: str = "") -> None:
        self.seen.append((address, code))
        if not code:
            self.acting = asyncio.get_running_loop().create_task(self._come_back(address))

    async def pasted(self) -> str:
        raise AssertionError("nothing is to be pasted")

    async def _come_back(self, address: str) -> None:
        target = self._world.issuer.agree(address)
        host, _, path = target.removeprefix("http://").partition("/")
        name, _, port = host.partition(":")
        reader, writer = await asyncio.open_connection(name, int(port))
        writer.write(f"GET /{path} HTTP/1.1\r\n\r\n".encode())
        head = (await reader.read()).decode().lower()
        writer.close()
        assert " 200 " in head and "access-control-allow-origin: https://accounts.x.ai" in head


def test_from_the_sign_in_to_an_answer(talk: Any) -> None:
    async def check(provider: Any, world: Any) -> None:
        issuer, store = world.login()
        user = User(world)
        store.save(await sign_in(issuer, user, "browser"))
        assert user.acting is not None
        await user.acting
        assert "grok-cli%3Aaccess" in user.seen[0][0]
        world.server.reply(world.server.thinking(["Hm."], "Hello."))
        assert answer(await collect(provider.stream(ask(model=MODEL)))) == "Hello."
        sent = world.server.requests[-1]
        assert sent.path == "/v1/responses"
        assert sent.headers["x-grok-model-override"] == MODEL
        assert sent.headers["x-grok-client-version"] == "9.9.9"
        assert sent.headers["x-xai-token-auth"] == "xai-grok-cli"
        assert sent.json["include"] == ["reasoning.encrypted_content"]

    talk(check, config={"clientVersion": "9.9.9"})


def test_hosted_tools_run_only_when_they_are_asked_for(talk: Any) -> None:
    async def check(provider: Any, world: Any) -> None:
        await world.sign_in()
        world.server.reply(world.server.text("ok"))
        await collect(provider.stream(ask(model=MODEL)))
        kinds = [tool["type"] for tool in world.server.requests[-1].json["tools"]]
        assert kinds == ["function", "web_search", "x_search"]

    talk(check, config={"hostedTools": ["web_search", "x_search"]})


def test_tokens_are_renewed_in_time_and_after_a_refusal(talk: Any) -> None:
    async def check(provider: Any, world: Any) -> None:
        await world.sign_in(lifetime=10)
        world.server.reply(world.server.text("ok"))
        await collect(provider.stream(ask(model=MODEL)))
        assert len(world.issuer.requests) == len(world.server.requests) == 1
        world.issuer.revoke()
        assert answer(await collect(provider.stream(ask(model=MODEL)))) == "ok"
        assert len(world.issuer.requests) == 2 and len(world.server.requests) == 3
        world.issuer.forget()
        with pytest.raises(errors.AuthError) as caught:
            await collect(provider.stream(ask(model=MODEL)))
        assert caught.value.remedy == "Sign in with: nanobot provider login xai-grok"
        assert "CANARY" not in str(caught.value) + repr(caught.value)

    talk(check)


@pytest.mark.parametrize(
    ("status", "expected", "remedy"),
    [
        (403, errors.AuthError, "subscription"),
        (426, errors.BadRequest, "clientVersion"),
        (429, errors.RateLimitError, "limit of your subscription"),
        (500, errors.OverloadError, "Try again"),
    ],
)
def test_refusals_say_what_to_do(
    talk: Any, status: int, expected: type[errors.ProviderError], remedy: str
) -> None:
    async def check(provider: Any, world: Any) -> None:
        await world.sign_in()
        world.server.reply(json_reply({"error": {"message": "no"}}, status=status))
        with pytest.raises(expected) as caught:
            await collect(provider.stream(ask(model=MODEL)))
        assert remedy in caught.value.remedy and caught.value.status == status

    talk(check)


def test_the_models_of_the_subscription(talk: Any) -> None:
    async def check(provider: Any, world: Any) -> None:
        with pytest.raises(errors.AuthError, match="not signed in"):
            await provider.list_models()
        await world.sign_in()
        world.server.reply(world.server.models("grok-a", "grok-b"))
        assert [model.id for model in await provider.list_models()] == ["grok-a", "grok-b"]

    talk(check)
