"""No process of a server outlives nanobot, however either of them ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import Any

import pytest
from nanobot_testing import run
from nanobot_tool_mcp import launcher

HOLDER = """
import asyncio, json, sys
from pathlib import Path
from nanobot.tool import ToolRequest
from nanobot_testing import load_spec, make_turn, open_spec

async def main():
    folder = Path(sys.argv[1])
    spec = load_spec("tools.mcp")
    async with open_spec(spec, json.loads(sys.argv[2]), folder, plugin="tools.mcp") as tool:
        turn = make_turn(folder)
        result = await tool.call(ToolRequest(name="mcp_fake_forks", arguments={}), turn)
        print(result.text, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def test_the_whole_tree_ends_with_the_plugin(bench: Any, alive: Any) -> None:
    async def check() -> None:
        bench.lists("forks")
        async with bench.open() as tool:
            orphan = int((await bench.call(tool, "mcp_fake_forks")).text)
            (server,) = bench.pids()
            assert alive(orphan) and alive(server)
        await bench.until(lambda: not alive(orphan) and not alive(server))

    run(check())


def test_what_a_server_leaves_behind_ends_with_it(bench: Any, alive: Any) -> None:
    async def check() -> None:
        bench.lists("forks", "dies")
        async with bench.open() as tool:
            orphan = int((await bench.call(tool, "mcp_fake_forks")).text)
            assert (await bench.call(tool, "mcp_fake_dies")).kind == "unavailable"
            await bench.until(lambda: not alive(orphan))

    run(check())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_whole_tree_ends_when_nanobot_is_killed(bench: Any, alive: Any, number: int) -> None:
    async def check() -> None:
        bench.lists("forks")
        holder = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            HOLDER,
            str(bench.folder),
            json.dumps({"fake": bench.fake()}),
            stdout=asyncio.subprocess.PIPE,
        )
        assert holder.stdout
        orphan = int(await holder.stdout.readline())
        (server,) = bench.pids()
        assert alive(orphan) and alive(server)
        holder.send_signal(number)
        await holder.wait()
        await bench.until(lambda: not alive(orphan) and not alive(server))

    run(check())


def test_a_launcher_that_is_killed_takes_the_server_with_it(bench: Any, alive: Any) -> None:
    async def check() -> None:
        async with bench.open() as tool:
            await bench.call(tool, "mcp_fake_echo", text="x")
            (server,) = bench.pids()
            parent = next(pid for pid in launcher.descendants(os.getpid()) if owns(pid, server))
            os.kill(parent, signal.SIGKILL)
            await bench.until(lambda: not alive(server))
            while (result := await bench.call(tool, "mcp_fake_echo", text="back")).is_error:
                assert result.kind == "unavailable"

    run(check())


def owns(pid: int, child: int) -> bool:
    return child in launcher.descendants(pid)


def test_closing_while_a_server_still_starts_ends_it(bench: Any, alive: Any) -> None:
    async def check() -> None:
        bench.lists("echo", start="hang")
        opening = asyncio.create_task(hold(bench))
        await bench.until(bench.pids)
        opening.cancel()
        await asyncio.wait([opening])
        (server,) = bench.pids()
        await bench.until(lambda: not alive(server))

    run(check())


async def hold(bench: Any) -> None:
    async with bench.open():
        await asyncio.Event().wait()
