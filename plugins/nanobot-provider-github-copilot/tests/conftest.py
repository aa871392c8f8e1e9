"""What the tests share: somebody who is signed in at GitHub, and the servers of Copilot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from nanobot_oauth.config import configured
from nanobot_oauth.issuer import Issuer
from nanobot_oauth.tokens import TokenStore
from nanobot_testing import load_spec, make_context, open_spec, run
from nanobot_testing.servers.chat import ChatServer
from nanobot_testing.servers.issuer import IssuerServer
from nanobot_testing.servers.responses import ResponsesServer
from nanobot_testing.servers.wire import Reply, Request, ScriptedServer, json_reply

PLUGIN = "providers.github_copilot"


class ExchangeServer(ScriptedServer):
    """Exchanges GitHub's tokens for Copilot's, and knows which of those are good."""

    def __init__(self, issuer: IssuerServer) -> None:
        super().__init__()
        self.issuer = issuer
        self.access: set[str] = set()
        self.lifetime = 1500
        self.refusal = 0
        self._made = 0

    def answer(self, request: Request) -> Reply:
        assert request.headers["editor-version"].startswith("vscode/")
        if self.refusal:
            return Reply(status=self.refusal, body=[b"<html>CANARY</html>"])
        if request.headers["authorization"].removeprefix("token ") not in self.issuer.access:
            return json_reply({"message": "Bad credentials CANARY"}, status=401)
        self._made += 1
        token = f"copilot-CANARY-{self._made}"
        self.access = {token}
        return json_reply({"token": token, "expires_at": 1, "refresh_in": self.lifetime})


class World:
    """GitHub and Copilot, and a section that leads to them."""

    def __init__(
        self, issuer: IssuerServer, exchange: ExchangeServer, server: Any, folder: Path
    ) -> None:
        self.issuer = issuer
        self.exchange = exchange
        self.server = server
        self.folder = folder
        self.section: dict[str, object] = {
            "issuer": issuer.base_url,
            "clientId": issuer.client_id,
            "tokenUrl": f"{exchange.base_url}/token",
            "apiBase": server.base_url,
        }
        self._guard()

    def _guard(self) -> None:
        answer = self.server.answer

        def guarded(request: Request) -> Reply:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            good = given in self.exchange.access
            return answer(request) if good else json_reply({"message": "no"}, status=401)

        self.server.answer = guarded

    def login(self) -> tuple[Issuer, TokenStore]:
        """Return what signs in, as the command line has it."""
        spec = load_spec(PLUGIN)
        context = make_context(spec, self.folder, plugin=PLUGIN)
        config = spec.config.model_validate(self.section)
        login = configured(spec.options["login"], config, "providers.githubCopilot")
        return Issuer(login, context.clock, provider=spec.name), TokenStore(context.data, login)

    async def sign_in(self) -> None:
        """Sign in by the device flow's last step, which needs no user."""
        issuer, store = self.login()
        self.issuer.lifetime = None
        store.save(await issuer.token("urn:ietf:params:oauth:grant-type:device_code"))


Check = Callable[[Any, World], Awaitable[None]]


@pytest.fixture
def talk(tmp_path: Path) -> Callable[..., None]:
    """Run a check with an open provider and the servers; ``dialect`` picks that of the API."""

    def start(
        check: Check, *, dialect: str = "chat", config: Mapping[str, object] | None = None
    ) -> None:
        async def go() -> None:
            async with AsyncExitStack() as stack:
                issuer = await stack.enter_async_context(IssuerServer())
                exchange = await stack.enter_async_context(ExchangeServer(issuer))
                made = ChatServer() if dialect == "chat" else ResponsesServer()
                server = await stack.enter_async_context(made)
                world = World(issuer, exchange, server, tmp_path)
                section = {**world.section, **(config or {})}
                spec = load_spec(PLUGIN)
                provider = await stack.enter_async_context(
                    open_spec(spec, section, tmp_path, plugin=PLUGIN)
                )
                await check(provider, world)

        run(go())

    return start
