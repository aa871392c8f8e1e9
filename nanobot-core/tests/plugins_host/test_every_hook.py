"""Every hook of the public page is called when an instance opens."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from nanobot import hookimpl, hookspec, hookspecs
from nanobot._boot.boot import open_instance
from nanobot._config import load
from nanobot.command import CommandRequest
from nanobot.engine import EngineSpec
from nanobot.middleware import Middleware
from nanobot.routing import Route, RouteRequest, RouterSpec
from nanobot.specs import (
    CommandSpec,
    KindSpec,
    MiddlewareSpec,
    ObserverSpec,
    PromptSpec,
    ProviderSpec,
    Spec,
    ToolSpec,
)
from nanobot_testing import run

NAME = "nanobot_everything"


class Sockets:
    """An extension point, for the hook that opens one."""

    @hookspec
    def nanobot_sockets(self) -> Iterable[Spec]:  # type: ignore[empty-body]
        """Return sockets."""


class Everything(ModuleType):
    """A plugin module that implements every hook and notes each call."""

    def __init__(self, lab_module: Any) -> None:
        super().__init__(NAME)
        self.called: list[str] = []
        self.model = lab_module.Model().says("Hello.")
        made = {"factory": f"{NAME}:open_any", "name": "every"}
        offers: dict[str, Any] = {
            "engines": EngineSpec(
                name="every", factory="nanobot_engine_standard.agent:open_engine"
            ),
            "routers": RouterSpec(
                name="every", factory="nanobot_router_standard.models:open_router"
            ),
            "kinds": KindSpec(name="sockets", hookspecs=Sockets, spec=Spec),
            "providers": ProviderSpec(**made, env_keys=("EVERY_API_KEY",), default_model="m"),
            "tools": ToolSpec(**made),
            "commands": CommandSpec(**made, description="Do."),
            "prompts": PromptSpec(**made),
            "middleware": MiddlewareSpec(**made),
            "observers": ObserverSpec(**made),
        }
        for kind, spec in offers.items():
            self._implement(f"nanobot_{kind}", lambda spec=spec: [spec])
        self._implement("nanobot_advice", lambda request: [])
        self._implement("nanobot_route_model", self._route)
        self._implement("nanobot_resolve_secret", lambda scheme, ref: f"secret-of-{ref}")
        self.seen: dict[str, Any] = {}

    def _implement(self, name: str, function: Any) -> None:
        if name in ("nanobot_route_model", "nanobot_advice"):

            def hook(request: Any) -> Any:
                self.called.append(name)
                return function(request)

        elif name == "nanobot_resolve_secret":

            def hook(scheme: str, ref: str) -> Any:  # type: ignore[misc]
                self.called.append(name)
                return function(scheme, ref)

        else:

            def hook() -> Any:  # type: ignore[misc]
                self.called.append(name)
                return function()

        hook.__name__ = name
        setattr(self, name, hookimpl(hook))

    @staticmethod
    def _route(request: RouteRequest) -> Route | None:
        if request.model != "made-up":
            return None
        return Route(provider="every", model="routed", reason="the plugin says so")

    @asynccontextmanager
    async def open_any(self, config: Any, context: Any) -> AsyncIterator[Any]:
        self.seen[context.id] = config
        kind = context.id.partition(".")[0]
        yield self.model if kind == "providers" else Opened()


class Opened(Middleware):
    """An object of any other kind."""

    async def render(self, turn: Any) -> str:
        return "Everything."

    async def observe(self, event: Any, turn: Any) -> None:
        pass

    async def run(self, request: CommandRequest) -> str:
        return "done"

    async def call(self, request: Any, turn: Any) -> Any:
        raise AssertionError("no tool is offered")


@pytest.fixture
def everything(dist: Any, lab_module: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Install a distribution whose one module implements every hook."""
    kinds = (
        *("engines", "routers", "providers", "tools", "commands", "prompts", "middleware"),
        "observers",
    )
    entries = "".join(f"[nanobot.v1.{kind}]\nevery = {NAME}\n" for kind in kinds)
    site = dist("nanobot-everything", entries)
    monkeypatch.syspath_prepend(str(site))
    module = Everything(lab_module)
    monkeypatch.setitem(sys.modules, NAME, module)
    monkeypatch.setenv("NANOBOT_PLUGINS", ",".join(f"{kind}.every" for kind in kinds))
    return module


def test_every_hook_is_called(everything: Any, lab: Any, tmp_path: Path) -> None:
    hooks = {name for name in vars(hookspecs) if name.startswith("nanobot_")}
    path = tmp_path / "config.json"
    path.write_text(
        json.dumps(
            {
                "agents": {"defaults": {"workspace": str(tmp_path / "work"), "model": "made-up"}},
                "providers": {"every": {"apiKey": "keyring:every"}},
                "plugins": {"disabled": ["engines.standard", "routers.standard"]},
            }
        )
    )

    async def go() -> Any:
        async with open_instance(load(path)) as opened:
            assert lab.finished(await lab.ask(opened.engine, "/every")).content == "done"
            return opened, await lab.ask(opened.engine, "hi")

    opened, events = run(go())
    assert set(everything.called) == hooks, "a hook without a call site is a promise not kept"
    assert everything.called[0] == "nanobot_kinds", "before every other"
    collecting = [name for name in everything.called if "route" not in name and "res" not in name]
    assert len(collecting) == len(set(collecting)), "each is collected once"
    assert "sockets" in opened.parts.host.kinds
    assert lab.finished(events).content == "Hello."
    assert everything.model.requests[0].model == "routed"
    assert everything.model.requests[0].system[-1].text == "Everything."
    assert everything.seen["providers.every"].api_key.reveal() == "secret-of-every"
    assert set(everything.seen) >= {
        f"{kind}.every" for kind in ("providers", "tools", "prompts", "middleware", "observers")
    }
    mine = [s for s in opened.parts.host.statuses() if s.entry.name == "every"]
    assert {str(s.state) for s in mine} == {"loaded"}
