"""Servers that others wrote."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from nanobot.messages import File, Image
from nanobot_testing import run
from nanobot_testing.node import node_program

EVERYTHING = ("@modelcontextprotocol/server-everything@^2026.8.0", "mcp-server-everything")
FILESYSTEM = ("@modelcontextprotocol/server-filesystem@^2026.8.0", "mcp-server-filesystem")


def module(name: str, *arguments: str) -> dict[str, Any]:
    return {"command": sys.executable, "args": ["-m", name, *arguments]}


def test_time(bench: Any) -> None:
    async def check() -> None:
        async with bench.open({"time": module("mcp_server_time")}) as tool:
            assert bench.names(tool) == ["mcp_time_get_current_time", "mcp_time_convert_time"]
            result = await bench.call(
                tool,
                "mcp_time_convert_time",
                source_timezone="UTC",
                time="12:00",
                target_timezone="Asia/Tokyo",
            )
            assert "21:00:00+09:00" in result.text
            wrong = await bench.call(tool, "mcp_time_get_current_time", timezone="Moon/Far")
            assert wrong.is_error

    run(check())


def test_a_server_of_the_newer_protocol_tells_of_changes_when_asked_to(bench: Any) -> None:
    async def check() -> None:
        program = Path(__file__).parent / "modern_server.py"
        section = {"command": sys.executable, "args": [str(program)]}
        async with bench.open({"modern": section}) as tool:
            assert bench.names(tool) == ["mcp_modern_grow"]
            assert (await bench.call(tool, "mcp_modern_grow")).text >= "2026-07-28"
            await bench.until(lambda: "mcp_status" in bench.names(tool))
            assert "new tool grown" in (await bench.call(tool, "mcp_status")).text

    run(check())


def test_git(bench: Any) -> None:
    repository = bench.folder / "repository"
    git = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    (repository / "a.txt").write_text("one\n")
    subprocess.run([*git, "add", "a.txt"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "First commit"], check=True)

    async def check() -> None:
        section = module("mcp_server_git", "--repository", str(repository))
        async with bench.open({"git": section}) as tool:
            assert len(bench.names(tool)) >= 12
            log = await bench.call(tool, "mcp_git_git_log", repo_path=str(repository), max_count=5)
            assert "First commit" in log.text

    run(check())


def test_fetch(bench: Any) -> None:
    async def check() -> None:
        async with bench.open({"fetch": module("mcp_server_fetch")}) as tool:
            names = bench.names(tool)
            assert names == ["mcp_fetch_fetch", "mcp_fetch_prompt_fetch"]
            result = await bench.call(tool, "mcp_fetch_fetch", url="http://127.0.0.1:1/")
            assert result.is_error

    run(check())


def test_filesystem(bench: Any) -> None:
    program = node_program(*FILESYSTEM)
    (bench.work / "a.txt").write_text("content of a")

    async def check() -> None:
        section = {"command": str(program), "args": [str(bench.work)], "trust": "auto"}
        async with bench.open({"fs": section}) as tool:
            effects = {one.name: one.effects for one in tool.definitions()}
            assert effects["mcp_fs_read_text_file"].read_only
            assert not effects["mcp_fs_write_file"].read_only
            path = str(bench.work / "a.txt")
            read = await bench.call(tool, "mcp_fs_read_text_file", path=path)
            assert read.text == "content of a"
            outside = await bench.call(tool, "mcp_fs_read_text_file", path="/etc/passwd")
            assert outside.is_error

    run(check())


@asynccontextmanager
async def listening(program: Path, how: str) -> AsyncIterator[int]:
    """Run server-everything on a port of the system's choice."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        str(program),
        how,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "PORT": str(port)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        assert process.stdout
        while line := await process.stdout.readline():
            if str(port) in line.decode() or b"listening" in line.lower():
                break
        yield port
    finally:
        process.kill()
        await process.communicate()


async def everything(bench: Any, tool: Any) -> None:
    """Use each kind of thing that the server has."""
    assert (await bench.call(tool, "mcp_all_echo", message="hi")).text == "Echo: hi"
    assert "5" in (await bench.call(tool, "mcp_all_get-sum", a=2, b=3)).text
    image = await bench.call(tool, "mcp_all_get-tiny-image")
    assert [part.media_type for part in image.parts if isinstance(part, Image)] == ["image/png"]
    slow = await bench.call(tool, "mcp_all_trigger-long-running-operation", duration=0.2, steps=2)
    assert "completed" in slow.text
    prompt = await bench.call(tool, "mcp_all_prompt_args-prompt", city="Rome")
    assert "Rome" in prompt.text
    text = await bench.call(tool, "mcp_all_resource_Dynamic_Text_Resource", resourceId="1")
    assert "Resource 1" in text.text
    document = await bench.call(tool, "mcp_all_resource_architecture_md")
    assert "#" in document.text
    zipped = await bench.call(
        tool, "mcp_all_gzip-file-as-resource", outputType="resource", data="data:,hello"
    )
    assert [type(part) for part in zipped.parts] == [File], zipped
    missing = await bench.call(tool, "mcp_all_get-resource-reference", resourceId=-1)
    assert missing.is_error
    structured = await bench.call(tool, "mcp_all_get-structured-content", location="New York")
    assert "temperature" in structured.text


@pytest.mark.parametrize("how", ["stdio", "streamableHttp", "sse"])
def test_everything(bench: Any, how: str) -> None:
    program = node_program(*EVERYTHING)

    async def check() -> None:
        if how == "stdio":
            async with bench.open({"all": {"command": str(program), "args": [how]}}) as tool:
                await everything(bench, tool)
            return
        async with listening(program, how) as port:
            path = "sse" if how == "sse" else "mcp"
            section = {"url": f"http://127.0.0.1:{port}/{path}"}
            async with bench.open({"all": section}) as tool:
                await everything(bench, tool)

    run(check())


def test_a_server_that_is_gone_is_told_of(bench: Any) -> None:
    program = node_program(*EVERYTHING)

    async def check() -> None:
        async with listening(program, "streamableHttp") as port:
            section = {"url": f"http://127.0.0.1:{port}/mcp"}
            async with bench.open({"all": section}):
                pass
        async with bench.open({"all": section}) as tool:
            result = await bench.call(tool, "mcp_all_echo", message="hi")
            assert result.kind == "unavailable"
            assert "can not be reached" in result.text

    run(check())
