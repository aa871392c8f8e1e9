"""What the Codex service is sent, and how a login is used."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from nanobot import errors
from nanobot_oauth.flows import sign_in
from nanobot_oauth.tokens import Tokens
from nanobot_provider_openai_codex.provider import account_headers
from nanobot_testing import load_spec, open_spec
from nanobot_testing.contracts.provider import answer, ask, collect
from nanobot_testing.servers.wire import json_reply

PLUGIN = "providers.openai_codex"
MODEL = "gpt-5.4"


def web_token(**told: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{body}.CANARY"


IDENTITY = web_token(**{"https://api.openai.com/auth": {"chatgpt_account_id": "acct-1"}})


class Browser:
    """Somebody whose browser runs elsewhere."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self.address = ""

    def show(self, address: str, *, code: str = "") -> None:
        self.address = address

    async def pasted(self) -> str:
        return str(self._world.issuer.agree(self.address))


def test_from_the_sign_in_to_an_answer(talk: Any) -> None:
    async def check(provider: Any, world: Any) -> None:
        world.issuer.identity = IDENTITY
        issuer, store = world.login()
        browser = Browser(world)
        store.save(await sign_in(issuer, browser, "paste"))
        for part in ("localhost%3A1455%2Fauth%2Fcallback", "offline_access", "originator=nanobot"):
            assert part in browser.address
        assert store.path.stat().st_mode & 0o777 == 0o600
        world.server.reply(world.server.thinking(["Hm."], "Hello."))
        assert answer(await collect(provider.stream(ask(model=MODEL)))) == "Hello."
        sent = world.server.requests[-1]
        assert sent.path == "/v1/responses"
        assert sent.headers["chatgpt-account-id"] == "acct-1"
        assert sent.headers["originator"] == "nanobot"
        assert sent.headers["openai-beta"] == "responses=experimental"

    talk(check)


def test_what_the_service_does_not_take_is_left_out(talk: Any) -> None:
    async def check(provider: Any, world: Any) -> None:
        await world.sign_in()
        world.server.reply(world.server.text("ok"))
        await collect(provider.stream(ask(model=MODEL, temperature=0.2, cache_key="session")))
        body = world.server.requests[-1].json
        assert "max_output_tokens" not in body and "temperature" not in body
        assert body["store"] is False and body["stream"] is True
        assert body["parallel_tool_calls"] is True and body["prompt_cache_key"] == "session"
        assert body["text"] == {"verbosity": "low"}, "extraBody has the last word"
        assert body["reasoning"] == {"summary": "auto"}
        assert body["include"] == ["reasoning.encrypted_content"]

    talk(check, config={"extraBody": {"text": {"verbosity": "low"}}})


def test_a_token_is_renewed_before_its_end_and_once_for_all(talk: Any) -> None:
    async def check(provider: Any, world: Any) -> None:
        await world.sign_in(lifetime=10)
        world.server.reply(world.server.text("ok"))
        runs = (collect(provider.stream(ask(model=MODEL))) for _ in range(8))
        assert {answer(events) for events in await asyncio.gather(*runs)} == {"ok"}
        assert len(world.issuer.requests) == 1 and len(world.server.requests) == 8

    talk(check)


def test_a_refused_token_is_renewed_once(talk: Any) -> None:
    async def check(provider: Any, world: Any) -> None:
        await world.sign_in()
        world.issuer.revoke()
        world.server.reply(world.server.text("ok"))
        assert answer(await collect(provider.stream(ask(model=MODEL)))) == "ok"
        assert len(world.issuer.requests) == 1 and len(world.server.requests) == 2
        world.server.answer = lambda request: json_reply({"error": {"message": "no"}}, status=401)
        with pytest.raises(errors.AuthError) as caught:
            await collect(provider.stream(ask(model=MODEL)))
        assert caught.value.remedy == "Sign in with: nanobot provider login openai-codex"
        assert len(world.issuer.requests) == 2 and len(world.server.requests) == 4
        world.issuer.forget()
        with pytest.raises(errors.AuthError, match="not valid any more") as caught:
            await collect(provider.stream(ask(model=MODEL)))
        assert "CANARY" not in str(caught.value) + repr(caught.value)

    talk(check)


def test_without_a_login_nothing_is_sent(talk: Any) -> None:
    async def check(provider: Any, world: Any) -> None:
        for refused in (collect(provider.stream(ask(model=MODEL))), provider.list_models()):
            with pytest.raises(errors.AuthError, match="not signed in") as caught:
                await refused
            assert caught.value.remedy == "Sign in with: nanobot provider login openai-codex"
        assert world.server.requests == world.issuer.requests == []

    talk(check)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("usage_limit_reached", errors.QuotaError), ("rate_limit_exceeded", errors.RateLimitError)],
)
def test_the_limits_of_a_plan(talk: Any, kind: str, expected: type[Exception]) -> None:
    async def check(provider: Any, world: Any) -> None:
        await world.sign_in()
        error = {"type": kind, "message": "The usage limit has been reached", "plan_type": "plus"}
        world.server.reply(json_reply({"error": error}, status=429))
        with pytest.raises(expected):
            await collect(provider.stream(ask(model=MODEL)))

    talk(check)


def test_the_models_of_the_plan(talk: Any) -> None:
    async def check(provider: Any, world: Any) -> None:
        await world.sign_in()
        models = [
            {"slug": "gpt-a", "visibility": "list", "context_window": 272000},
            {"slug": "gpt-b"},
            {"slug": "gpt-hidden", "visibility": "hide"},
            {"id": "no slug"},
        ]
        world.server.reply(json_reply({"models": models}))
        found = await provider.list_models()
        assert [(model.id, model.context_window) for model in found] == [
            ("gpt-a", 272000),
            ("gpt-b", 0),
        ]
        assert world.server.requests[-1].path == "/v1/models?client_version=1.0.0"
        world.server.reply(json_reply({"data": []}))
        with pytest.raises(errors.MalformedAnswer):
            await provider.list_models()

    talk(check)


def test_the_account_comes_from_the_login() -> None:
    for tokens in (
        Tokens(access="a", identity=IDENTITY),
        Tokens(access=IDENTITY),
    ):
        assert account_headers(tokens)["chatgpt-account-id"] == "acct-1"
    assert account_headers(Tokens(access="opaque")) == {"authorization": "Bearer opaque"}
    assert "chatgpt-account-id" not in account_headers(Tokens(access=web_token(sub="x")))


def test_an_address_without_a_path_gets_the_services_own(talk: Any) -> None:
    async def check(provider: Any, world: Any) -> None:
        await world.sign_in()
        section = {**world.section, "apiBase": f"http://127.0.0.1:{world.server.port}"}
        spec = load_spec(PLUGIN)
        async with open_spec(spec, section, world.folder, plugin=PLUGIN) as other:
            world.server.reply(world.server.text("ok"))
            await collect(other.stream(ask(model=MODEL)))
        assert world.server.requests[-1].path == "/backend-api/codex/responses"

    talk(check)
