"""What the tests share: somebody who is signed in, and the servers of the vendor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from nanobot_oauth.config import configured
from nanobot_oauth.issuer import Issuer
from nanobot_oauth.tokens import TokenStore
from nanobot_testing import load_spec, make_context, open_spec, run
from nanobot_testing.servers.issuer import IssuerServer
from nanobot_testing.servers.responses import ResponsesServer

PLUGIN = "providers.openai_codex"


class World:
    """The vendor's servers and a section that leads to them."""

    def __init__(self, issuer: IssuerServer, server: ResponsesServer, folder: Path) -> None:
        self.issuer = issuer
        self.server = server
        self.folder = folder
        self.section: dict[str, object] = {
            "issuer": issuer.base_url,
            "clientId": issuer.client_id,
            "apiBase": server.base_url,
        }

    def login(self) -> tuple[Issuer, TokenStore]:
        """Return what signs in, as the command line has it."""
        spec = load_spec(PLUGIN)
        context = make_context(spec, self.folder, plugin=PLUGIN)
        login = configured(
            spec.options["login"], spec.config.model_validate(self.section), "providers.openaiCodex"
        )
        issuer = Issuer(login, context.clock, provider=spec.name)
        return issuer, TokenStore(context.data, login)

    async def sign_in(self, *, lifetime: float = 3600) -> None:
        """Sign in by the device flow's last step, which needs no user."""
        issuer, store = self.login()
        self.issuer.lifetime = lifetime
        store.save(await issuer.token("urn:ietf:params:oauth:grant-type:device_code"))
        self.issuer.lifetime = 3600
        self.issuer.requests.clear()


Check = Callable[[Any, World], Awaitable[None]]


@pytest.fixture
def talk(tmp_path: Path) -> Callable[..., None]:
    """Run a check with an open provider and the vendor's servers."""

    def start(check: Check, *, config: Mapping[str, object] | None = None) -> None:
        async def go() -> None:
            async with IssuerServer() as issuer, ResponsesServer() as server:
                issuer.guard(server)
                world = World(issuer, server, tmp_path)
                section = {**world.section, **(config or {})}
                async with open_spec(
                    load_spec(PLUGIN), section, tmp_path, plugin=PLUGIN
                ) as provider:
                    await check(provider, world)

        run(go())

    return start
