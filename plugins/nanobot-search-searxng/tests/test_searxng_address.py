"""Where the instance is."""

from __future__ import annotations

from pathlib import Path

import pytest
from nanobot.errors import ToolError
from nanobot_search_searxng.engine import open_search
from nanobot_testing import load_spec, make_context, run
from nanobot_testing.servers.wire import Reply, ScriptedServer, json_reply
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Access, Wishes


def search(folder: Path) -> int:
    async def go() -> int:
        context = make_context(load_spec("search.searxng"), folder, plugin="search.searxng")
        async with open_search(EngineConfig(), context) as engine:
            return len(await engine.search("q", count=3))

    return run(go())


def test_without_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEARXNG_BASE_URL", raising=False)
    with pytest.raises(ToolError) as caught:
        search(tmp_path)
    assert caught.value.kind == "no_key"
    assert "search.searxng.baseUrl or SEARXNG_BASE_URL" in caught.value.message


def test_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        async with ScriptedServer() as server:
            server.reply(json_reply({"results": []}))
            context = make_context(load_spec("search.searxng"), tmp_path)
            async with open_search(EngineConfig(), context) as engine:
                monkeypatch.setenv("SEARXNG_BASE_URL", f"{server.base_url}/env/")
                await engine.search("q", count=3)
                access = Access(base_url=f"{server.base_url}/tools")
                await engine.search("q", count=3, wishes=Wishes(access=access))
            assert [request.path.partition("?")[0] for request in server.requests] == [
                "/env/search",
                "/tools/search",
            ]

    run(go())


def test_an_instance_that_does_not_allow_json(tmp_path: Path) -> None:
    async def go() -> str:
        async with ScriptedServer() as server:
            server.reply(Reply(status=403, body=[b"Forbidden"], chunked=False))
            context = make_context(load_spec("search.searxng"), tmp_path)
            config = EngineConfig(base_url=server.base_url)
            async with open_search(config, context) as engine:
                with pytest.raises(ToolError) as caught:
                    await engine.search("q", count=3)
                return caught.value.message

    assert "settings.yml" in run(go())
