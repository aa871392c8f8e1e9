"""Where requests go, and what authorises them: a key, or a token of Microsoft Entra ID."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from nanobot import errors
from nanobot_testing import load_spec, open_spec, run
from nanobot_testing.contracts.provider import KEY, answer, ask, collect
from nanobot_testing.servers.chat import ChatServer
from nanobot_testing.servers.responses import ResponsesServer
from nanobot_testing.servers.wire import Reply, Request, ScriptedServer, json_reply

MODEL = "my-deployment"
Check = Callable[[Any, Any], Awaitable[None]]


class IdentityServer(ScriptedServer):
    """The endpoint by which Azure's hosts hand out tokens to what runs on them."""

    def __init__(self) -> None:
        super().__init__()
        self.lifetime = 3600
        self.refuses = False
        self.good: set[str] = set()

    def answer(self, request: Request) -> Reply:
        asked = parse_qs(urlsplit(request.path).query)
        assert request.headers["x-identity-header"] == "test-header"
        assert asked["resource"] == ["https://cognitiveservices.azure.com"]
        if self.refuses:
            return json_reply({"statusCode": 400, "message": "CANARY-WORDS"}, status=400)
        token = f"entra-CANARY-{len(self.requests)}"
        self.good = {token}
        end = str(int(time.time()) + self.lifetime)
        return json_reply({"access_token": token, "expires_on": end, "token_type": "Bearer"})


@pytest.fixture(autouse=True)
def no_azure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the Azure account of whoever runs the tests out."""
    for name in list(os.environ):
        if name.startswith(("AZURE_", "IDENTITY_", "MSI_", "IMDS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")


@pytest.fixture
def talk(tmp_path: Path) -> Callable[..., None]:
    """Run a check with an open provider and the server that it talks to."""

    def start(
        check: Check,
        *,
        config: Mapping[str, object] | None = None,
        server_type: type[Any] = ResponsesServer,
        path: str = "",
    ) -> None:
        async def go() -> None:
            async with server_type() as server:
                base = f"http://127.0.0.1:{server.port}{path}"
                section = {"apiKey": KEY, "apiBase": base, **(config or {})}
                spec = load_spec("providers.azure_openai")
                plugin = "providers.azure_openai"
                async with open_spec(spec, section, tmp_path, plugin=plugin) as provider:
                    await check(provider, server)

        run(go())

    return start


@pytest.fixture
def signed_in(talk: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run a check without a key, on a machine to which Azure gives tokens."""

    def start(
        check: Callable[..., Awaitable[None]], *, server_type: type[Any], **more: Any
    ) -> None:
        async def inner(provider: Any, server: Any) -> None:
            async with IdentityServer() as identity:
                monkeypatch.setenv("IDENTITY_ENDPOINT", f"{identity.base_url}/token")
                monkeypatch.setenv("IDENTITY_HEADER", "test-header")
                guard(server, identity)
                await check(provider, server, identity)

        config = {"apiKey": None, **more}
        talk(inner, config=config, server_type=server_type)

    return start


def guard(server: Any, identity: IdentityServer) -> None:
    usual = server.answer

    def guarded(request: Request) -> Reply:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        refusal = {"error": {"code": "401", "message": "Unauthorized"}}
        return usual(request) if given in identity.good else json_reply(refusal, status=401)

    server.answer = guarded


@pytest.mark.parametrize("path", ["", "/", "/openai", "/openai/v1", "/openai/v1/"])
def test_any_spelling_of_the_address_works(talk: Any, path: str) -> None:
    async def check(provider: Any, server: Any) -> None:
        server.reply(server.text("ok"))
        await collect(provider.stream(ask(model=MODEL)))
        assert server.requests[-1].path == "/openai/v1/responses"
        server.reply(server.models("a"))
        assert [model.id for model in await provider.list_models()] == ["a"]
        assert server.requests[-1].path == "/openai/v1/models"

    talk(check, path=path)


def test_a_query_and_a_gateways_path_are_kept(talk: Any) -> None:
    async def check(provider: Any, server: Any) -> None:
        server.reply(server.text("ok"))
        await collect(provider.stream(ask(model=MODEL)))
        assert server.requests[-1].path == "/team/openai/v1/responses?api-version=preview"

    talk(check, path="/team?api-version=preview")


@pytest.mark.parametrize(
    ("server_type", "api_type"),
    [(ResponsesServer, "responses"), (ChatServer, "chat_completions")],
)
def test_a_key_goes_into_azures_own_header(talk: Any, server_type: Any, api_type: str) -> None:
    async def check(provider: Any, server: Any) -> None:
        server.reply(server.text("ok"))
        await collect(provider.stream(ask(model=MODEL)))
        sent = server.requests[-1]
        assert sent.headers["api-key"] == KEY and "authorization" not in sent.headers
        assert sent.json["model"] == MODEL
        assert KEY not in repr(provider)

    talk(check, server_type=server_type, config={"apiType": api_type})


def test_the_conversation_is_stored_only_when_it_is_wanted(talk: Any) -> None:
    for wanted in (False, True):

        async def check(provider: Any, server: Any, wanted: bool = wanted) -> None:
            server.reply(server.text("ok"))
            await collect(provider.stream(ask(model=MODEL)))
            assert server.requests[-1].json["store"] is wanted

        talk(check, config={"serverState": wanted})


@pytest.mark.parametrize(
    ("server_type", "api_type"),
    [(ResponsesServer, "responses"), (ChatServer, "chat_completions")],
)
def test_without_a_key_it_signs_in(signed_in: Any, server_type: Any, api_type: str) -> None:
    async def check(provider: Any, server: Any, identity: IdentityServer) -> None:
        server.reply(server.text("ok"))
        for _ in range(3):
            assert answer(await collect(provider.stream(ask(model=MODEL)))) == "ok"
        assert len(identity.requests) == 1, "a token is kept"
        assert server.requests[-1].headers["authorization"] == "Bearer entra-CANARY-1"
        assert "api-key" not in server.requests[-1].headers

    signed_in(check, server_type=server_type, apiType=api_type)


def test_a_token_that_was_taken_back_is_asked_for_once_more(signed_in: Any) -> None:
    async def check(provider: Any, server: Any, identity: IdentityServer) -> None:
        identity.lifetime = 1
        server.reply(server.text("ok"))
        await collect(provider.stream(ask(model=MODEL)))
        identity.good.clear()
        with pytest.raises(errors.AuthError) as caught:
            identity.refuses = True
            await collect(provider.stream(ask(model=MODEL)))
        assert "az login" in caught.value.remedy and "CANARY" not in str(caught.value)

    signed_in(check, server_type=ResponsesServer)


def test_a_refused_token_says_which_role_is_needed(signed_in: Any) -> None:
    async def check(provider: Any, server: Any, identity: IdentityServer) -> None:
        server.answer = lambda request: json_reply({"error": {"code": "x"}}, status=403)
        with pytest.raises(errors.AuthError) as caught:
            await collect(provider.stream(ask(model=MODEL)))
        assert "Cognitive Services OpenAI User" in caught.value.remedy

    signed_in(check, server_type=ResponsesServer)


def test_a_machine_without_any_sign_in(talk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")

    async def check(provider: Any, server: Any) -> None:
        for refused in (collect(provider.stream(ask(model=MODEL))), provider.list_models()):
            with pytest.raises(errors.AuthError, match="can not sign in") as caught:
                await refused
            assert "providers.azureOpenai.apiKey" in caught.value.remedy
        assert server.requests == []

    talk(check, config={"apiKey": None})


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({}, "apiBase is not set"),
        ({"apiBase": "name.openai.azure.com"}, "apiBase is no http"),
        ({"apiBase": "https://x.example", "apiKey": "two\nCANARY"}, "HTTP header"),
    ],
)
def test_an_unusable_section_says_what_to_do(
    tmp_path: Path, section: dict[str, Any], words: str
) -> None:
    async def go() -> None:
        spec = load_spec("providers.azure_openai")
        whole = {"apiKey": KEY, **section}
        async with open_spec(spec, whole, tmp_path, plugin="providers.azure_openai"):
            pass

    with pytest.raises(errors.ConfigError, match=words) as caught:
        run(go())
    assert caught.value.remedy and "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        ({"code": "DeploymentNotFound", "message": "no such"}, 404, errors.BadRequest),
        (
            {"code": "content_filter", "message": "no", "innererror": {"code": "x"}},
            400,
            errors.ContentFiltered,
        ),
        ({"code": "429", "message": "Retry after 7 seconds."}, 429, errors.RateLimitError),
        ({"code": "401", "message": f"Access denied, key {KEY}"}, 401, errors.AuthError),
    ],
)
def test_refusals_are_typed(
    talk: Any, body: dict[str, Any], status: int, expected: type[Exception]
) -> None:
    async def check(provider: Any, server: Any) -> None:
        server.reply(json_reply({"error": body}, status=status))
        with pytest.raises(expected) as caught:
            await collect(provider.stream(ask(model=MODEL)))
        assert KEY not in str(caught.value)

    talk(check)


LAZY = """
import asyncio, sys
from pathlib import Path
from nanobot_testing import load_spec, open_spec

async def go():
    spec = load_spec("providers.azure_openai")
    assert not {"openai", "azure", "nanobot_provider_compat"} & set(sys.modules)
    section = {"apiBase": "http://127.0.0.1:9", "apiKey": "k", "apiType": sys.argv[1]}
    async with open_spec(spec, section, Path(), plugin="providers.azure_openai"):
        print(" ".join(sorted({"openai", "azure"} & set(sys.modules))))

asyncio.run(go())
"""


@pytest.mark.parametrize(
    ("api_type", "loaded"), [("responses", "openai"), ("chat_completions", "")]
)
def test_only_what_is_needed_is_imported(api_type: str, loaded: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LAZY, api_type], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == loaded
