"""The loop of one turn: plain answers, tool rounds, parallel calls, and what tools may do wrong."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from nanobot import log
from nanobot.errors import ToolError
from nanobot.events import (
    ReasoningDelta,
    StreamEnd,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnStarted,
)
from nanobot.messages import (
    AssistantMessage,
    Effects,
    StopReason,
    ToolResult,
    Trust,
    UserMessage,
    text_of,
)
from nanobot.specs import ToolDefinition, ToolSpec
from nanobot_engine_standard.foreign import NOTE
from nanobot_engine_standard.toolbox import MAX_PARALLEL
from nanobot_testing import run

NUMBER = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}


def test_a_plain_answer(lab: Any) -> None:
    lab.model.says("Hello", ", Alice.", reasoning=["Greet."], model="m-1-2026")
    events = lab.run("hi")
    assert isinstance(events[0], TurnStarted) and events[0].session_key == "cli:direct"
    assert [e.text for e in lab.of(events, ReasoningDelta)] == ["Greet."]
    assert [e.text for e in lab.of(events, TextDelta)] == ["Hello", ", Alice."]
    assert [e.resuming for e in lab.of(events, StreamEnd)] == [False]
    end = lab.finished(events)
    assert (end.content, end.stop_reason, end.error) == ("Hello, Alice.", StopReason.COMPLETED, "")
    assert end.model == "m-1-2026" and end.tools_used == () and end.turn_id == events[0].turn_id
    assert (end.usage.billed.input, end.usage.calls) == (10, 1)


def test_what_the_model_is_sent(lab: Any) -> None:
    lab.model.says("ok")
    lab.returns("look", read_only=True)
    lab.presets["deep"] = (lab.choice(model="m-9", max_tokens=77, temperature=0.5, effort="high"),)
    lab.run("what is up?", preset="deep")
    (request,) = lab.model.requests
    assert (request.model, request.max_tokens) == ("m-9", 77)
    assert (request.temperature, request.reasoning_effort) == (0.5, "high")
    assert [tool.name for tool in request.tools] == ["look"] and request.tool_choice == "auto"
    (message,) = request.messages
    assert isinstance(message, UserMessage) and text_of(message.parts) == "what is up?"
    assert "2026-01-02 03:04" in message.context
    assert request.system[0].name == "identity" and request.cache_key


def test_several_rounds_of_tools(lab: Any, lab_module: Any) -> None:
    first, second = lab_module.call("add", '{"n": 1}'), lab_module.call("add", '{"n": "2"}')
    add = lab.returns("add", "added", parameters=NUMBER)
    lab.model.calls(first, text="Adding one.").calls(second).says("Done.")
    events = lab.run("add")
    assert [dict(request.arguments) for request in add.requests] == [{"n": 1}, {"n": 2}]
    assert [request.call_id for request in add.requests] == [first.id, second.id]
    assert [e.resuming for e in lab.of(events, StreamEnd)] == [True, False]
    end = lab.finished(events)
    assert (end.content, end.tools_used, end.usage.calls) == ("Done.", ("add",), 3)
    _, one, two = lab.model.requests[-1].messages
    assert (one.text, one.tool_uses[0].call, one.tool_uses[0].result.text) == (
        "Adding one.",
        first,
        "added",
    )
    assert isinstance(two, AssistantMessage) and two.tool_uses[0].call == second
    assert isinstance(lab.model.requests[-1].messages[0], UserMessage)


def test_reads_run_at_once(lab: Any, lab_module: Any) -> None:
    """Each of the three waits until all three have begun."""

    async def go() -> list[Any]:
        barrier = asyncio.Barrier(3)

        async def look(request: Any, turn: Any) -> str:
            await barrier.wait()
            return f"saw {request.arguments['n']}"

        lab.tool("look", look, read_only=True, parameters=NUMBER)
        lab.model.calls(*(lab_module.call("look", f'{{"n": {n}}}') for n in range(3))).says("ok")
        async with lab.agent() as agent:
            return await lab.ask(agent, "look")

    events = run(go(), seconds=5)
    assert [e.result.text for e in lab.of(events, ToolFinished)] == ["saw 0", "saw 1", "saw 2"]


def test_calls_that_stand_for_themselves_run_at_once_but_not_beside_others(
    lab: Any, lab_module: Any
) -> None:
    """Two shell commands overlap; one beside a read, or beside a plain write, does not."""
    running: set[str] = set()
    together: list[set[str]] = []

    async def work(request: Any, turn: Any) -> str:
        running.add(request.call_id)
        for _ in range(5):
            await asyncio.sleep(0)
        together.append(set(running))
        running.discard(request.call_id)
        return request.call_id  # type: ignore[no-any-return]

    lab.tool("shell", work, concurrent=True)
    lab.tool("look", work, read_only=True)
    lab.tool("write", work)
    names = ["shell", "shell", "look", "shell", "write", "shell"]
    calls = [lab_module.call(name, id=str(n)) for n, name in enumerate(names)]
    lab.model.calls(*calls).says("ok")
    lab.run("go")
    assert together[0] == {"0", "1"}
    assert together[2:] == [{"2"}, {"3"}, {"4"}, {"5"}]


def test_only_so_many_reads_run_at_once(lab: Any, lab_module: Any) -> None:
    running = most = 0

    async def look(request: Any, turn: Any) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(5):
            await asyncio.sleep(0)
        running -= 1
        return request.call_id  # type: ignore[no-any-return]

    lab.tool("look", look, read_only=True)
    calls = [lab_module.call("look", id=str(number)) for number in range(20)]
    lab.model.calls(*calls).says("ok")
    events = lab.run("look")
    assert most == MAX_PARALLEL == 8
    assert [e.result.text for e in lab.of(events, ToolFinished)] == [call.id for call in calls]


def test_writes_run_one_by_one(lab: Any, lab_module: Any) -> None:
    log: list[str] = []

    def tool(name: str, read_only: bool) -> None:
        async def work(request: Any, turn: Any) -> str:
            log.append(f"+{request.call_id}")
            for _ in range(3):
                await asyncio.sleep(0)
            log.append(f"-{request.call_id}")
            return request.call_id

        lab.tool(name, work, read_only=read_only)

    tool("look", True)
    tool("write", False)
    names = ["look", "look", "write", "write", "look"]
    calls = [lab_module.call(name, id=str(n)) for n, name in enumerate(names)]
    lab.model.calls(*calls).says("ok")
    events = lab.run("go")
    assert log[:2] == ["+0", "+1"] and set(log[2:4]) == {"-0", "-1"}
    assert log[4:] == ["+2", "-2", "+3", "-3", "+4", "-4"]
    assert [e.call.id for e in lab.of(events, ToolFinished)] == ["0", "1", "2", "3", "4"]


def test_results_come_in_the_order_of_the_calls(lab: Any, lab_module: Any) -> None:
    """The first call ends last."""

    async def go() -> list[Any]:
        second_done = asyncio.Event()

        async def look(request: Any, turn: Any) -> str:
            if request.call_id == "a":
                await second_done.wait()
            else:
                second_done.set()
            return request.call_id

        lab.tool("look", look, read_only=True)
        lab.model.calls(lab_module.call("look", id="a"), lab_module.call("look", id="b")).says("ok")
        async with lab.agent() as agent:
            return await lab.ask(agent, "go")

    events = run(go(), seconds=5)
    assert [e.call.id for e in lab.of(events, ToolFinished)] == ["a", "b"]
    uses = lab.model.requests[-1].messages[-1].tool_uses
    assert [(use.call.id, use.result.text) for use in uses] == [("a", "a"), ("b", "b")]


def test_a_tool_past_its_deadline_becomes_an_error_result(lab: Any, lab_module: Any) -> None:
    async def forever(request: Any, turn: Any) -> str:
        await asyncio.Event().wait()
        return ""

    lab.tool("slow", forever, deadline_s=0.01)
    lab.model.calls(lab_module.call("slow")).says("It is too slow.")
    events = lab.run("go")
    (finished,) = lab.of(events, ToolFinished)
    assert finished.result.kind == "timeout" and "0.01 s" in finished.result.text
    assert lab.finished(events).content == "It is too slow."


def test_a_tool_that_can_not_be_stopped_does_not_stop_the_turn(
    lab: Any, lab_module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nanobot_engine_standard.toolbox.STOP_GRACE_S", 0.01)

    async def go() -> list[Any]:
        release = asyncio.Event()

        async def stubborn(request: Any, turn: Any) -> str:
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue
            return "too late"

        lab.tool("stubborn", stubborn, deadline_s=0.01)
        lab.model.calls(lab_module.call("stubborn")).says("Leaving it.")
        async with lab.agent() as agent:
            events = await lab.ask(agent, "go")
            release.set()
            return events

    events = run(go(), seconds=5)
    assert lab.of(events, ToolFinished)[0].result.kind == "timeout"
    assert lab.finished(events).content == "Leaving it."


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (ValueError("no luck"), "crashed", "ValueError: no luck"),
        (SystemExit(3), "crashed", "sys.exit(3)"),
        (asyncio.CancelledError(), "crashed", "cancelled"),
        (TimeoutError("the printer is off"), "crashed", "the printer is off"),
        (ToolError("no such file", kind="not_found"), "not_found", "no such file"),
    ],
)
def test_a_tool_that_fails_tells_the_model_why(
    lab: Any, lab_module: Any, error: BaseException, kind: str, words: str
) -> None:
    lab.raises("bad", error)
    lab.model.calls(lab_module.call("bad")).says("I see.")
    events = lab.run("go")
    (finished,) = lab.of(events, ToolFinished)
    assert finished.result.kind == kind and words in finished.result.text
    assert lab.finished(events).stop_reason is StopReason.COMPLETED


def test_a_crash_of_a_tool_is_logged_without_secrets(
    lab: Any, lab_module: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    log.remember_secret("hunter2-hunter2")
    lab.raises("bad", ValueError("wrong key hunter2-hunter2"))
    lab.model.calls(lab_module.call("bad")).says("ok")
    (finished,) = lab.of(lab.run("go"), ToolFinished)
    assert finished.result.text == "bad failed: ValueError: wrong key ***"
    logged = capsys.readouterr().err
    assert "tool_crashed" in logged and "Traceback" in logged and "hunter2" not in logged


def test_a_tool_that_returns_no_result_has_failed(lab: Any, lab_module: Any) -> None:
    lab.returns("odd", 42)
    lab.model.calls(lab_module.call("odd")).says("ok")
    (finished,) = lab.of(lab.run("go"), ToolFinished)
    assert finished.result.kind == "crashed" and "int" in finished.result.text


def test_an_unknown_tool_is_answered_with_what_there_is(lab: Any, lab_module: Any) -> None:
    lab.returns("read_file")
    lab.model.calls(lab_module.call("readfile")).says("ok")
    (finished,) = lab.of(lab.run("go"), ToolFinished)
    assert finished.result.kind == "unknown_tool"
    assert "Did you mean read_file?" in finished.result.text


def test_bad_arguments_never_reach_the_tool(lab: Any, lab_module: Any) -> None:
    tool = lab.returns("add", parameters=NUMBER)
    lab.model.calls(lab_module.call("add", '{"m": 1}')).says("ok")
    (finished,) = lab.of(lab.run("go"), ToolFinished)
    assert finished.result.kind == "bad_arguments" and not tool.requests
    assert "missing required n" in finished.result.text and "unknown m" in finished.result.text


def test_ids_that_are_missing_or_doubled_are_told_apart(lab: Any, lab_module: Any) -> None:
    """Every call that runs keeps its result, whatever the vendor made of the ids."""

    async def echo(request: Any, turn: Any) -> str:
        return f"n={request.arguments['n']}"

    lab.tool("echo", echo, parameters=NUMBER)
    calls = [lab_module.call("echo", f'{{"n": {n}}}', id="same") for n in range(2)]
    calls += [lab_module.ToolCall(id="", name="echo", arguments=f'{{"n": {n}}}') for n in (2, 3)]
    lab.model.calls(*calls).says("ok")
    lab.run("go")
    uses = lab.model.requests[-1].messages[-1].tool_uses
    assert [use.result.text for use in uses] == ["n=0", "n=1", "n=2", "n=3"]
    ids = [use.call.id for use in uses]
    assert len(set(ids)) == 4 and all(ids) and ids[0] == "same"


def test_tools_that_are_known_only_when_open(lab: Any, lab_module: Any) -> None:
    class Dynamic:
        """Offers one more tool each time it is asked."""

        def __init__(self) -> None:
            self.asked = 0

        def definitions(self) -> tuple[ToolDefinition, ...]:
            self.asked += 1
            return tuple(
                ToolDefinition(
                    name=f"dyn_{n}", description="x", parameters=NUMBER, effects=Effects()
                )
                for n in range(self.asked)
            )

        async def call(self, request: Any, turn: Any) -> ToolResult:
            return ToolResult.ok(request.name, trust=Trust.UNTRUSTED)

    dynamic = lab.offer("tools", ToolSpec(name="dyn", factory=""), Dynamic())
    lab.model.calls(lab_module.call("dyn_0", '{"n": 1}')).says("ok").says("ok")
    lab.run("go", "again")
    assert [t.name for t in lab.model.requests[0].tools] == ["dyn_0"]
    assert [t.name for t in lab.model.requests[-1].tools] == ["dyn_0", "dyn_1"]
    assert dynamic.asked == 2, "asked once a turn"
    result = lab.model.requests[1].messages[-1].tool_uses[0].result
    assert result.text == f"{NOTE}\ndyn_0" and result.parts[0].trust is Trust.UNTRUSTED


@pytest.mark.parametrize("made", [RuntimeError("server gone"), 7, ("no definition",)])
def test_a_plugin_that_can_not_say_what_it_offers_is_left_out(lab: Any, made: Any) -> None:
    class Broken:
        def definitions(self) -> Any:
            if isinstance(made, Exception):
                raise made
            return made

    lab.offer("tools", ToolSpec(name="broken", factory=""), Broken())
    lab.returns("fine")
    lab.model.says("ok")
    assert lab.finished(lab.run("go")).content == "ok"
    assert [tool.name for tool in lab.model.requests[0].tools] == ["fine"]


def test_the_first_plugin_has_a_tool_name(lab: Any, lab_module: Any) -> None:
    made = ToolDefinition(name="look", description="Look.", parameters=NUMBER)
    one = lab_module.FakeTool(lambda request, turn: _text("one"))
    two = lab_module.FakeTool(lambda request, turn: _text("two"))
    lab.offer("tools", ToolSpec(name="b_two", factory="", tools=(made,)), two)
    lab.offer("tools", ToolSpec(name="a_one", factory="", tools=(made,)), one)
    lab.model.calls(lab_module.call("look", '{"n": 1}')).says("ok")
    (finished,) = lab.of(lab.run("go"), ToolFinished)
    assert finished.result.text == "one" and len(lab.model.requests[0].tools) == 1


async def _text(text: str) -> str:
    return text


def test_a_call_is_announced_with_its_arguments(lab: Any, lab_module: Any) -> None:
    lab.returns("add", parameters=NUMBER)
    lab.model.calls(lab_module.call("add", '{"n": 5}')).calls(
        lab_module.call("add", "no json at all")
    ).says("ok")
    started = lab.of(lab.run("go"), ToolStarted)
    assert [dict(event.arguments) for event in started] == [{"n": 5}, {}]
