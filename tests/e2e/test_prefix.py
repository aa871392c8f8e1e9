"""What a vendor may keep in its cache: the beginning of each request is that of the one before."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from nanobot import Nanobot
from nanobot_testing import run
from nanobot_testing.servers.chat import ChatServer

TURNS = 50


def test_each_request_begins_like_the_one_before(
    tmp_path: Path, monkeypatch: Any, clean_environment: Any
) -> None:
    """Tools of the whole bundle are on; every third turn calls one."""

    async def go() -> list[bytes]:
        async with ChatServer() as server:
            path = tmp_path / "instance" / "config.json"
            path.parent.mkdir()
            document = {
                "agents": {
                    "defaults": {
                        "model": "test-model",
                        "provider": "custom",
                        "workspace": str(tmp_path / "work"),
                    }
                },
                "providers": {"custom": {"apiBase": server.base_url, "apiKey": "k"}},
            }
            path.write_text(json.dumps(document))
            path.chmod(0o600)
            async with Nanobot.from_config(path) as bot:
                for number in range(TURNS):
                    if number % 3 == 0:
                        server.reply(server.tools(("list_dir", '{"path": "."}')))
                    server.reply(server.text(f"answer {number}"))
                    result = await bot.run(f"question {number}")
                    assert result.content == f"answer {number}", result.error
            return [request.body for request in server.requests if b"messages" in request.body]

    bodies = [json.loads(body) for body in run(go(), seconds=60)]
    assert len(bodies) > TURNS
    for before, after in pairwise(bodies):
        assert json.dumps(before["tools"]) == json.dumps(after["tools"])
        told = [json.dumps(message) for message in before["messages"]]
        assert [json.dumps(message) for message in after["messages"][: len(told)]] == told
    names = {tool["function"]["name"] for tool in bodies[0]["tools"]}
    assert names >= {"read_file", "exec", "web_search", "web_fetch", "spawn", "ask_user", "message"}


def test_the_tools_of_the_bundle_are_cheap(tmp_path: Path) -> None:
    """What a model is told of all tools, at each call."""

    async def go() -> bytes:
        async with ChatServer() as server:
            path = tmp_path / "config.json"
            path.write_text(
                json.dumps(
                    {
                        "agents": {
                            "defaults": {
                                "model": "m",
                                "provider": "custom",
                                "workspace": str(tmp_path / "work"),
                            }
                        },
                        "providers": {"custom": {"apiBase": server.base_url, "apiKey": "k"}},
                    }
                )
            )
            path.chmod(0o600)
            server.reply(server.text("hi"))
            async with Nanobot.from_config(path) as bot:
                await bot.run("hi")
            return next(r.body for r in server.requests if b"messages" in r.body)

    tools = json.loads(run(go()))["tools"]
    size = len(json.dumps(tools, separators=(",", ":")))
    each = {tool["function"]["name"]: len(json.dumps(tool)) for tool in tools}
    assert size <= 12 * 1024, f"{size} bytes: {each}"
