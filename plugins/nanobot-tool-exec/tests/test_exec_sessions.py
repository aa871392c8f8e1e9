"""Commands that go on: start, write, wait, list, end."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import ToolError
from nanobot.messages import ToolResult
from nanobot_testing import run
from nanobot_tool_exec import sessions

ECHO = 'while read -r line; do echo "got $line"; done; echo bye'


def session_id(result: ToolResult) -> str:
    found = re.search(r"session_id: (\S+)", result.text)
    assert found, result.text
    return found[1]


def test_a_conversation(opened: Any, survivors: Callable[[], list[str]]) -> None:
    async def go() -> None:
        async with opened() as call:
            started = await call("exec", command=ECHO, yield_time_ms=0)
            assert "Process running." in started.text and not started.is_error
            one = session_id(started)
            said = await call("write_stdin", session_id=one, chars="größe\n", wait_for="got größe")
            assert said.text.startswith("got größe\nProcess running.")
            again = await call("write_stdin", session_id=one, chars="two\n", wait_for="two")
            assert again.text.startswith("got two\n"), "what was told is not told again"
            assert "while read" in (await call("list_exec_sessions")).text
            last = await call("write_stdin", session_id=one, close_stdin=True, yield_time_ms=30_000)
            assert last.text.startswith("bye\nExit code: 0\nElapsed: ")
            assert (await call("list_exec_sessions")).text == "No sessions."
            assert survivors() == []

    run(go())


def test_a_short_command_ends_within_its_time(opened: Any) -> None:
    async def go() -> None:
        async with opened() as call:
            result = await call("exec", command="echo hi; exit 3", yield_time_ms=30_000)
            assert result.text.startswith("hi\nExit code: 3\n")
            assert (await call("list_exec_sessions")).text == "No sessions."

    run(go())


def test_both_streams_come_in_order(opened: Any) -> None:
    async def go() -> None:
        async with opened() as call:
            result = await call("exec", command="echo a >&2; echo b", yield_time_ms=30_000)
            assert set(result.text.splitlines()[:2]) == {"a", "b"}
            assert "STDERR" not in result.text

    run(go())


def test_terminating_ends_the_whole_tree(
    opened: Any, survivors: Callable[[], list[str]], workspace: Path
) -> None:
    async def go() -> None:
        async with opened() as call:
            command = "echo up; trap '' TERM; (setsid sleep 1000 &); sleep 1000; sleep 1000"
            one = session_id(await call("exec", command=command, yield_time_ms=0))
            await call("write_stdin", session_id=one, wait_for="up")
            assert survivors() != []
            ended = await call("write_stdin", session_id=one, terminate=True)
            assert "The command was ended" in ended.text and not ended.is_error
            assert survivors() == []
            with pytest.raises(ToolError, match="no session"):
                await call("write_stdin", session_id=one)

    run(go())


def test_sessions_end_with_the_tool(opened: Any, survivors: Callable[[], list[str]]) -> None:
    async def go() -> None:
        async with opened() as call:
            for _ in range(3):
                command = "(setsid sleep 1000 &); echo up; sleep 1000"
                one = session_id(await call("exec", command=command, yield_time_ms=0))
                await call("write_stdin", session_id=one, wait_for="up")
            assert len(survivors()) >= 3
        assert survivors() == []

    run(go())


def test_cancelling_the_call_that_starts_one_ends_it(
    opened: Any, survivors: Callable[[], list[str]], workspace: Path
) -> None:
    os.mkfifo(workspace / "started")

    async def go() -> None:
        async with opened() as call:
            command = "echo up > started; sleep 1000"
            starting = asyncio.create_task(call("exec", command=command, yield_time_ms=30_000))
            assert await asyncio.to_thread((workspace / "started").read_text) == "up\n"
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting
            assert survivors() == []
            assert (await call("list_exec_sessions")).text == "No sessions."

    run(go())


def test_nobody_else_finds_a_session(opened: Any) -> None:
    async def go() -> None:
        async with opened() as call:
            one = session_id(await call("exec", command="cat", yield_time_ms=0))
            for arguments in ({}, {"chars": "x"}, {"terminate": True}):
                with pytest.raises(ToolError) as caught:
                    await call("write_stdin", user="bob", session_id=one, **arguments)
                assert caught.value.kind == "not_found" and "your sessions: none" in str(
                    caught.value
                )
            assert (await call("list_exec_sessions", user="bob")).text == "No sessions."
            assert "running" in (await call("list_exec_sessions")).text

    run(go())


def test_there_is_a_limit_that_ended_ones_do_not_count_for(opened: Any) -> None:
    async def go() -> None:
        async with opened() as call:
            for _ in range(sessions.LIMIT):
                last = session_id(await call("exec", command="cat", yield_time_ms=0))
            with pytest.raises(ToolError) as caught:
                await call("exec", command="cat", yield_time_ms=0)
            assert caught.value.kind == "too_many_sessions"
            await call("write_stdin", session_id=last, close_stdin=True, yield_time_ms=30_000)
            assert "running" in (await call("exec", command="cat", yield_time_ms=0)).text

    run(go())


def test_one_that_nobody_asks_for_is_ended(
    opened: Any, survivors: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "IDLE_S", 0.2)

    async def go() -> None:
        async with opened() as call:
            one = session_id(await call("exec", command="echo up; sleep 1000", yield_time_ms=0))
            while survivors():
                await asyncio.sleep(0.05)
            told = await call("write_stdin", session_id=one)
            assert told.text.startswith("up\nThe command was ended: nobody asked")

    run(go())


def test_its_own_time_limit_counts(opened: Any, survivors: Callable[[], list[str]]) -> None:
    async def go() -> None:
        async with opened(timeout=1) as call:
            unlimited = session_id(await call("exec", command="cat", yield_time_ms=0))
            result = await call("exec", command="sleep 1000", timeout=1, yield_time_ms=30_000)
            assert result.kind == "timeout" and "timed out after 1 s" in result.text
            assert "running" in (await call("write_stdin", session_id=unlimited, chars="")).text

    run(go())


def test_output_is_bounded_at_both_ends(opened: Any) -> None:
    async def go() -> None:
        async with opened() as call:
            command = "echo FIRST; seq 1 2000000; echo LAST"
            result = await call("exec", command=command, yield_time_ms=30_000)
            assert result.text.startswith("FIRST\n1\n") and "\nLAST\nExit code: 0" in result.text
            assert len(result.text) < 10_500

    run(go())


def test_input_that_nobody_reads_is_refused(opened: Any) -> None:
    async def go() -> None:
        async with opened() as call:
            one = session_id(await call("exec", command="sleep 1000", yield_time_ms=0))
            with pytest.raises(ToolError) as caught:
                for _ in range(40):
                    text = "x" * 65_536
                    await call("write_stdin", session_id=one, chars=text, yield_time_ms=0)
            assert caught.value.kind == "input_full"

    run(go())


def test_closed_input_is_told(opened: Any) -> None:
    async def go() -> None:
        async with opened() as call:
            one = session_id(await call("exec", command="sleep 1000", yield_time_ms=0))
            await call("write_stdin", session_id=one, close_stdin=True, yield_time_ms=0)
            with pytest.raises(ToolError) as caught:
                await call("write_stdin", session_id=one, chars="x")
            assert caught.value.kind == "input_closed"

    run(go())
