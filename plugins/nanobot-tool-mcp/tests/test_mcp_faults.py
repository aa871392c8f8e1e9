"""Servers that misbehave harm nothing but their own calls."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import Any

import pytest
from nanobot import log
from nanobot.messages import Trust
from nanobot_testing import run
from nanobot_tool_mcp import connection, stdio


def test_a_server_that_is_killed_in_the_middle_of_a_call(bench: Any) -> None:
    async def check() -> None:
        bench.lists("echo", "dies")
        async with bench.open() as tool:
            result = await bench.call(tool, "mcp_fake_dies")
            assert result.kind == "unavailable"
            assert "not known" in result.text
            assert not result.retryable
            assert (await bench.call(tool, "mcp_fake_echo", text="back")).text == "back"
            assert len(bench.pids()) == 2

    run(check())


def test_a_server_that_is_killed_while_nobody_calls(bench: Any, alive: Any) -> None:
    async def check() -> None:
        async with bench.open() as tool:
            await bench.call(tool, "mcp_fake_echo", text="x")
            (pid,) = bench.pids()
            os.kill(pid, signal.SIGKILL)
            await bench.until(lambda: not alive(pid))
            while (result := await bench.call(tool, "mcp_fake_echo", text="back")).is_error:
                assert result.kind == "unavailable"
            assert result.text == "back"

    run(check())


def test_a_call_that_hangs_is_cancelled_at_the_server_and_others_go_on(bench: Any) -> None:
    async def check() -> None:
        bench.lists("echo", "hangs")
        async with bench.open(toolTimeout=0.3) as tool:
            hanging = asyncio.create_task(bench.call(tool, "mcp_fake_hangs"))
            assert (await bench.call(tool, "mcp_fake_echo", text="beside")).text == "beside"
            result = await hanging
            assert result.kind == "timeout"
            await bench.until(lambda: bench.heard("notifications/cancelled"))
            assert (await bench.call(tool, "mcp_fake_echo", text="after")).text == "after"
            assert len(bench.pids()) == 1

    run(check())


def test_a_call_that_is_stopped_is_cancelled_at_the_server(bench: Any) -> None:
    async def check() -> None:
        bench.lists("hangs")
        async with bench.open() as tool:
            call = asyncio.create_task(bench.call(tool, "mcp_fake_hangs"))
            await bench.until(lambda: bench.heard("tools/call"))
            call.cancel()
            await asyncio.wait([call])
            assert call.cancelled()
            await bench.until(lambda: bench.heard("notifications/cancelled"))

    run(check())


def test_a_server_that_is_deaf_is_started_anew(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PING_S", 0.2)

    async def check() -> None:
        bench.lists("echo", "deaf")
        async with bench.open(toolTimeout=0.3) as tool:
            assert (await bench.call(tool, "mcp_fake_deaf")).kind == "timeout"
            while (await bench.call(tool, "mcp_fake_echo", text="hi")).text != "hi":
                pass
            assert len(bench.pids()) == 2

    run(check())


def test_a_full_pipe_to_a_deaf_server_holds_up_nobody(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp.shared.jsonrpc_dispatcher._ABANDON_WRITE_TIMEOUT", 0.1)

    async def check() -> None:
        bench.lists("echo", "deaf")
        async with bench.open(toolTimeout=0.3) as tool:
            deaf = asyncio.create_task(bench.call(tool, "mcp_fake_deaf"))
            await bench.until(lambda: bench.heard("tools/call"))
            calls = [bench.call(tool, "mcp_fake_echo", text="x" * 300_000) for _ in range(3)]
            results = await asyncio.gather(deaf, *calls)
            assert {result.kind for result in results} == {"timeout"}

    run(check())


@pytest.mark.parametrize("name", ["spews", "endless"])
def test_output_without_end_closes_the_connection(bench: Any, name: str) -> None:
    async def check() -> None:
        bench.lists("echo", name)
        async with bench.open() as tool:
            assert (await bench.call(tool, f"mcp_fake_{name}")).kind == "unavailable"
            assert (await bench.call(tool, "mcp_fake_echo", text="back")).text == "back"

    run(check())


def test_noise_on_standard_output_is_passed_over(bench: Any) -> None:
    async def check() -> None:
        bench.lists("pollutes")
        async with bench.open() as tool:
            assert (await bench.call(tool, "mcp_fake_pollutes")).text == "polluted"
            assert len(bench.pids()) == 1

    run(check())


def test_a_huge_answer_is_cut(bench: Any) -> None:
    async def check() -> None:
        bench.lists("huge")
        async with bench.open() as tool:
            result = await bench.call(tool, "mcp_fake_huge", size=8_000_000)
            assert not result.is_error
            assert len(result.text) < 1_000_100
            assert "7000000 more characters were left out" in result.text
            result = await bench.call(tool, "mcp_fake_huge", size=17_000_000)
            assert result.kind == "unavailable"

    run(check())


def test_a_slow_server_that_is_new_is_not_waited_for_long(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nanobot_tool_mcp import tool as tool_module

    monkeypatch.setattr(tool_module, "FIRST_SIGHT_S", 0.1)

    async def check() -> None:
        bench.lists("echo", start="hang")
        other = bench.folder / "other"
        other.mkdir()
        (other / "list.json").write_text(
            (bench.folder / "list.json").read_text().replace("hang", "")
        )
        well = bench.fake()
        well["args"] = [*well["args"][:-1], str(other)]
        servers = {"slow": bench.fake(toolTimeout=0.2), "well": well}
        async with bench.open(servers) as tool:
            await bench.until(lambda: bench.names(tool) == ["mcp_well_echo"])
            assert (await bench.call(tool, "mcp_well_echo", text="hi")).text == "hi"
            assert (await bench.call(tool, "mcp_slow_echo", text="hi")).kind == "not_found"

    run(check())


def test_a_pinned_server_that_hangs_at_start_fails_its_own_calls(bench: Any) -> None:

    async def check() -> None:
        async with bench.open():
            pass
        bench.lists("echo", start="hang")
        async with bench.open(toolTimeout=0.3) as tool:
            assert bench.names(tool) == ["mcp_fake_echo"]
            result = await bench.call(tool, "mcp_fake_echo", text="hi")
            assert (result.kind, result.retryable) == ("unavailable", True)
            assert "still starting" in result.text

    run(check())


def test_a_server_that_does_not_start_is_told_of_and_tried_again_with_pauses(bench: Any) -> None:
    log.remember_secret("a-real-secret")

    async def check() -> None:
        async with bench.open():
            pass
        bench.lists("echo", start="exit")
        started = len(bench.pids())
        async with bench.open(env={"TOKEN": "a-real-secret"}) as tool:
            first = await bench.call(tool, "mcp_fake_echo")
            assert first.kind == "unavailable"
            assert "no licence" in first.text
            assert "abcdef0123456789" not in first.text
            second = await bench.call(tool, "mcp_fake_echo")
            assert "tried again after" in second.text
            assert len(bench.pids()) == started + 1
            assert bench.names(tool) == ["mcp_fake_echo", "mcp_status"]
            assert "no licence" in (await bench.call(tool, "mcp_status")).text

    run(check())


def test_a_server_comes_back_after_its_pause(bench: Any) -> None:
    from nanobot_testing.lab import FakeClock
    from nanobot_tool_mcp.connection import Connection, Hooks

    async def check() -> None:
        clock, opened = FakeClock(), []

        async def listed(client: Any) -> None:
            opened.append(client)

        bench.lists("echo", start="exit")
        server = make_server(bench)
        line = Connection("fake", server, Hooks(opened=listed), clock, log.get())
        pauses = []
        for _ in range(8):
            with pytest.raises(Exception, match="ended before it was ready"):
                await line.acquire(10)
            before = clock.monotonic()
            with pytest.raises(Exception, match="tried again after") as paused:
                await line.acquire(10)
            pauses.append(int(str(paused.value).rsplit("after ", 1)[1].split(" ")[0]))
            clock.advance(pauses[-1] + before - clock.monotonic())
        assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
        bench.lists("echo")
        assert await line.acquire(10) is opened[0]
        await line.aclose()

    run(check())


def make_server(bench: Any) -> Any:
    from nanobot_testing import load_spec, make_context
    from nanobot_tool_mcp.config import ServerConfig
    from nanobot_tool_mcp.dialing import dialer
    from nanobot_tool_mcp.server import Server

    context = make_context(load_spec("tools.mcp"), bench.folder, plugin="tools.mcp")
    return dialer(Server("fake", ServerConfig.model_validate(bench.fake()), context), context)


@pytest.mark.parametrize(
    ("section", "word"),
    [
        ({"command": "/no/such/program"}, "No such file"),
        ({"command": "true", "cwd": "/no/such/folder"}, "No such file"),
        ({"command": "true"}, "ended before it was ready"),
        ({"command": "cat", "toolTimeout": 2}, "refuses|can not be used"),
        ({"url": "http://127.0.0.1:1/mcp"}, "can not be reached"),
        ({"url": "http://127.0.0.1:1/sse"}, "can not be reached"),
        ({"url": "http://no-such-host.invalid/mcp"}, "not known"),
    ],
)
def test_what_can_not_be_reached_is_told_in_words(bench: Any, section: Any, word: str) -> None:
    import re

    async def check() -> None:
        async with bench.open({"bad": section}) as tool:
            assert bench.names(tool) == ["mcp_status"]
            text = (await bench.call(tool, "mcp_status")).text
            assert re.search(word, text), text

    run(check())


def test_errors_of_tools_are_errors_and_never_trusted(bench: Any) -> None:
    async def check() -> None:
        bench.lists("fails", "refuses", "echo")
        async with bench.open() as tool:
            failed = await bench.call(tool, "mcp_fake_fails")
            assert (failed.kind, failed.text) == ("failed", "it did not work")
            refused = await bench.call(tool, "mcp_fake_refuses")
            assert refused.kind == "bad_arguments"
            assert "1234567890abcdef" not in refused.text
            good = await bench.call(tool, "mcp_fake_echo", text="x")
            for result in (failed, refused, good):
                assert {part.trust for part in result.parts} == {Trust.UNTRUSTED}

    run(check())


def test_progress_and_logs_disturb_nothing(bench: Any) -> None:
    async def check() -> None:
        bench.lists("progresses")
        async with bench.open() as tool:
            assert (await bench.call(tool, "mcp_fake_progresses")).text == "done"

    run(check())


def test_questions_to_the_user_are_not_offered_and_not_answered(bench: Any) -> None:
    async def check() -> None:
        bench.lists("asks")
        async with bench.open() as tool:
            reply = json.loads((await bench.call(tool, "mcp_fake_asks")).text)
            assert reply["error"]["message"] == "Elicitation not supported"
        declared = bench.heard("initialize")[0]["params"]["capabilities"]
        assert not {"elicitation", "sampling", "roots"} & set(declared)

    run(check())


def test_arguments_that_must_be_null_are_sent(bench: Any) -> None:
    async def check() -> None:
        schema = {
            "type": "object",
            "properties": {"a": {"type": ["string", "null"]}, "b": {"type": "string"}},
            "required": ["a"],
        }
        bench.lists(tools=[{"name": "arguments", "inputSchema": schema}])
        async with bench.open() as tool:
            assert (
                await bench.call(tool, "mcp_fake_arguments", b="x")
            ).text == '{"a": null, "b": "x"}'

    run(check())


def test_a_server_sees_no_variable_but_harmless_ones_and_its_own(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-secret")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")

    async def check() -> None:
        bench.lists("environment")
        async with bench.open(env={"TOKEN": "for-it"}) as tool:
            seen = json.loads((await bench.call(tool, "mcp_fake_environment")).text)
        assert seen["TOKEN"] == "for-it"
        assert seen["LC_ALL"] == "C.UTF-8"
        allowed = {*stdio._INHERITED, "TOKEN", "LC_ALL", "LC_CTYPE"}
        assert set(seen) <= allowed

    run(check())
