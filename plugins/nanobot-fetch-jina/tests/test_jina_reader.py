"""What Jina Reader is asked, and what comes of its answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nanobot.config import Secret
from nanobot.errors import ToolError
from nanobot_fetch_jina.reader import open_fetch
from nanobot_testing import load_spec, make_context, run
from nanobot_testing.servers.wire import Act, Reply, Request, ScriptedServer, json_reply
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.reader import Readout

URL = "https://example.org/a?b=c&d=ä"


def read(folder: Path, reply: Reply, *, key: str = "", **options: Any) -> tuple[Readout, Request]:
    async def go() -> tuple[Readout, Request]:
        async with ScriptedServer() as server:
            server.reply(reply)
            secret = Secret(key) if key else None
            config = EngineConfig(base_url=server.base_url, api_key=secret)
            context = make_context(load_spec("fetch.jina"), folder, plugin="fetch.jina")
            async with open_fetch(config, context) as reader:
                return await reader.read(URL, **options), server.requests[0]

    return run(go())


@pytest.fixture(autouse=True)
def no_key_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JINA_API_KEY", raising=False)


def answer(**data: str) -> Reply:
    return json_reply({"code": 200, "data": data})


def test_the_address_is_sent_whole_and_in_the_body(tmp_path: Path) -> None:
    readout, request = read(tmp_path, answer(title="T", content="Words"))
    assert readout == Readout(text="# T\n\nWords", extractor="jina")
    assert (request.method, request.path, request.json) == ("POST", "/", {"url": URL})
    assert request.headers["x-return-format"] == "markdown"
    assert "authorization" not in request.headers


def test_a_key_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, request = read(tmp_path, answer(content="Words"), key="jina-0123456789")
    assert request.headers["authorization"] == "Bearer jina-0123456789"
    monkeypatch.setenv("JINA_API_KEY", "jina-of-the-environment")
    _, request = read(tmp_path, answer(content="Words"))
    assert request.headers["authorization"] == "Bearer jina-of-the-environment"


def test_text_mode(tmp_path: Path) -> None:
    readout, request = read(tmp_path, answer(title="T", text="Words"), mode="text")
    assert readout.text == "T\n\nWords"
    assert request.headers["x-return-format"] == "text"


def test_a_title_is_not_said_twice(tmp_path: Path) -> None:
    assert read(tmp_path, answer(title="T", content="# T\n\nWords"))[0].text == "# T\n\nWords"


@pytest.mark.parametrize("data", [{}, {"title": "T"}, {"content": "  "}, {"content": 7}])
def test_no_content_is_an_error(tmp_path: Path, data: dict[str, Any]) -> None:
    with pytest.raises(ToolError) as caught:
        read(tmp_path, json_reply({"data": data}))
    assert caught.value.kind == "bad_answer"


def test_silence_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nanobot_fetch_jina.reader.DEADLINE_S", 0.2)
    with pytest.raises(ToolError) as caught:
        read(tmp_path, Reply(body=[b" ", Act.HANG]))
    assert caught.value.kind == "timeout"


def test_the_tools_proxy_is_used(tmp_path: Path) -> None:
    async def go() -> None:
        async with ScriptedServer() as proxy:
            proxy.reply(answer(content="Words"))
            config = EngineConfig(base_url="http://reader.example")
            context = make_context(load_spec("fetch.jina"), tmp_path)
            async with open_fetch(config, context) as reader:
                await reader.read(URL, proxy=proxy.base_url)
            assert proxy.requests[0].path == "http://reader.example/"

    run(go())
