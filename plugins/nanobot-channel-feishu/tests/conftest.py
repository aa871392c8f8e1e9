"""Gives the tests the platform's server and a channel that is connected to it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from nanobot_testing import run
from nanobot_testing.contracts.channel import Host, running
from nanobot_testing.host import load_spec


@pytest.fixture(scope="session")
def feishu() -> ModuleType:
    """Return the module of the server."""
    name = "feishu_server_of_the_tests"
    if name not in sys.modules:
        spec = spec_from_file_location(name, Path(__file__).with_name("feishu_server.py"))
        assert spec and spec.loader
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture
def live(feishu: ModuleType, tmp_path: Path) -> Callable[..., Any]:
    """Return a function that runs some work on a connected channel.

    Afterwards nothing of the channel may still run.
    """

    def go(
        work: Callable[[Any, Any, Host], Awaitable[Any]],
        *,
        host: Host | None = None,
        prepare: Callable[[Any], object] = lambda server: None,
        **section: object,
    ) -> Any:
        async def inside() -> Any:
            async with feishu.FeishuServer() as server:
                prepare(server)
                before = asyncio.all_tasks()
                own = host or Host()
                spec = load_spec("channels.feishu")
                config = {**server.config, **section}
                async with running(spec, config, tmp_path, own, "channels.feishu") as channel:
                    result = await work(channel, server, own)
                left = asyncio.all_tasks() - before - server.tasks
                assert not left, left
                return result

        return run(inside())

    return go
