"""A message that comes in again: its interrupted turn goes on, its finished one is told again."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nanobot.agent import AgentHook
from nanobot.engine import Limits
from nanobot.errors import AuthError, TransportError
from nanobot.events import (
    Notice,
    ToolStarted,
    TurnStarted,
)
from nanobot.messages import (
    FinishReason,
    Principal,
    Role,
    StopReason,
    Target,
    ToolResult,
    UserMessage,
    text_of,
)
from nanobot_engine_standard.resume import MAX_RESUMES
from nanobot_testing import run
from nanobot_testing.lab import Lab

ID = "m-1"


def records(lab: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lab.transcript().read_text().splitlines()]


def cut(lab: Any, kind: str, nth: int = 0, *, keep: bool = True) -> None:
    """Cut the transcript after the n-th record of a kind, as a killed process would leave it."""
    lines = lab.transcript().read_bytes().splitlines(keepends=True)
    found = [n for n, line in enumerate(lines) if json.loads(line)["type"] == kind]
    lab.transcript().write_bytes(b"".join(lines[: found[nth] + keep]))


def two_calls(lab: Any, lab_module: Any, **tool: Any) -> Any:
    """Let a turn call a tool twice and end; return the tool."""
    made = lab.returns("work", "done", **tool)
    calls = [lab_module.call("work", id=f"c{n}") for n in range(2)]
    lab.model.calls(*calls, text="Working.").says("All done.")
    lab.run("do it", id=ID)
    made.requests.clear()
    lab.model.requests.clear()
    return made


# --- a turn that goes on -----------------------------------------------------------------------


def test_it_goes_on_from_the_message_alone(lab: Any) -> None:
    lab.prompt("mood", lambda turn: f"at {turn.now:%H}", placement="turn")
    lab.model.says("Hello.")
    first = lab.finished(lab.run("hi", id=ID))
    cut(lab, "user")
    lab.clock.advance(7200)
    lab.model.says("Hello again.")
    events = lab.run("hi", id=ID)
    assert isinstance(events[0], TurnStarted) and events[0].turn_id == first.turn_id
    assert isinstance(events[1], Notice) and events[1].kind == "recovery"
    assert lab.finished(events).content == "Hello again."
    assert lab.finished(events).turn_id == first.turn_id
    assert lab.model.requests[1].messages == lab.model.requests[0].messages, "as it was stored"
    assert [r["type"] for r in records(lab)] == ["session", "user", "resumed", "assistant", "end"]


@pytest.mark.parametrize("effects", [{"read_only": True}, {"idempotent": True}])
def test_a_call_that_may_be_repeated_is_run_again(lab: Any, lab_module: Any, effects: Any) -> None:
    tool = two_calls(lab, lab_module, **effects)
    cut(lab, "tool", 0)
    lab.model.says("All done now.")
    events = lab.run("do it", id=ID)
    assert [request.call_id for request in tool.requests] == ["c1"], "the finished one is not"
    assert [event.call.id for event in lab.of(events, ToolStarted)] == ["c1"]
    uses = lab.model.requests[0].messages[1].tool_uses
    assert [use.result for use in uses] == [ToolResult.ok("done")] * 2
    end = lab.finished(events)
    assert (end.content, end.tools_used, end.usage.calls) == ("All done now.", ("work",), 2)


def test_a_call_that_may_not_is_answered_with_unknown(lab: Any, lab_module: Any) -> None:
    tool = two_calls(lab, lab_module)
    cut(lab, "tool", 0)
    lab.model.says("I will look.")
    events = lab.run("do it", id=ID)
    assert not tool.requests and not lab.of(events, ToolStarted)
    uses = lab.model.requests[0].messages[1].tool_uses
    assert [use.result.kind for use in uses] == ["", "unknown_outcome"]
    assert "may or may not have had its effect" in uses[1].result.text
    lab.check(lab.model.requests[0].messages)
    assert lab.finished(events).tools_used == ("work",)


def test_a_tool_that_is_gone_is_not_run(lab: Any, lab_module: Any) -> None:
    two_calls(lab, lab_module, read_only=True)
    cut(lab, "assistant")
    lab.offers["tools"].clear()
    lab.model.says("Without it.")
    lab.run("do it", id=ID)
    uses = lab.model.requests[0].messages[1].tool_uses
    assert {use.result.kind for use in uses} == {"unknown_outcome"}


def test_finished_calls_are_not_run_again(lab: Any, lab_module: Any) -> None:
    tool = two_calls(lab, lab_module, read_only=True)
    cut(lab, "tool", 1)
    lab.model.says("All done now.")
    assert lab.finished(lab.run("do it", id=ID)).content == "All done now."
    assert not tool.requests


def test_a_final_answer_is_not_asked_for_again(lab: Any, lab_module: Any) -> None:
    two_calls(lab, lab_module)
    ended = records(lab)[-1]
    cut(lab, "assistant", 1)
    events = lab.run("do it", id=ID)
    end = lab.finished(events)
    assert (end.content, end.stop_reason) == ("All done.", StopReason.COMPLETED)
    assert end.usage.calls == 2 and end.tools_used == ("work",) and not lab.model.requests
    assert records(lab)[-1] == {**ended, "at": records(lab)[-1]["at"]}


def test_a_limit_that_was_reached_stays_reached(lab: Any, lab_module: Any) -> None:
    lab.limits = Limits(max_turn_tokens=1)
    lab.returns("work")
    lab.model.calls(lab_module.call("work"))
    first = lab.finished(lab.run("go", id=ID))
    cut(lab, "assistant", 1)
    again = lab.finished(lab.run("go", id=ID))
    assert again.stop_reason is StopReason.TOKEN_LIMIT and again.content == first.content


def test_the_rounds_of_a_turn_count_on(lab: Any, lab_module: Any) -> None:
    lab.limits = Limits(max_iterations=2)
    two_calls(lab, lab_module)
    cut(lab, "tool", 1)
    lab.model.calls(lab_module.call("work")).says("That is all.")
    end = lab.finished(lab.run("do it", id=ID))
    assert end.stop_reason is StopReason.MAX_ITERATIONS and len(lab.model.requests) == 2


def test_an_answer_that_was_cut_off_goes_on(lab: Any) -> None:
    lab.model.says("Once ", finish=FinishReason.LENGTH).says("upon a time.")
    lab.run("tell", id=ID)
    cut(lab, "assistant")
    lab.model.says("upon another time.")
    end = lab.finished(lab.run("tell", id=ID))
    assert end.content == "Once upon another time."
    sent = lab.model.requests[-1].messages
    assert "Go on exactly where it stopped" in text_of(sent[-1].parts)
    lab.model.says("ok")
    lab.run("and?")
    assert lab.model.requests[-1].messages[1].text == "Once upon another time."


def test_an_answer_that_broke_goes_on(lab: Any) -> None:
    lab.model.fails(TransportError("reset"), "Once ")
    lab.run("tell", id=ID)
    cut(lab, "assistant")
    lab.model.says("upon a time.")
    assert lab.finished(lab.run("tell", id=ID)).content == "Once upon a time."


def test_blank_and_nameless_answers_are_asked_for_again(lab: Any, lab_module: Any) -> None:
    lab.model.says("").says("x")
    lab.run("one", id="a")
    cut(lab, "assistant")
    lab.model.says("One.")
    assert lab.finished(lab.run("one", id="a")).content == "One."
    lab.model.calls(lab_module.call(""), text="Let me see.").says("x")
    lab.run("two", id="b")
    cut(lab, "assistant", 2)
    lab.model.says("Two.")
    assert lab.finished(lab.run("two", id="b")).content == "Two."
    for request in lab.model.requests:
        lab.check(request.messages)


def test_a_record_that_does_not_say_what_it_was_counts_as_final(lab: Any) -> None:
    lab.model.says("Hello.")
    lab.run("hi", id=ID)
    cut(lab, "assistant")
    path = lab.transcript()
    path.write_bytes(path.read_bytes().replace(b',"stop":"completed"', b""))
    assert lab.finished(lab.run("hi", id=ID)).content == "Hello." and len(lab.model.requests) == 1


def test_a_follow_up_takes_its_turn_up_too(lab: Any, lab_module: Any) -> None:
    """And the turn answers whom it answered before, with no more rights than both have."""
    seen: list[Any] = []

    async def look(request: Any, turn: Any) -> str:
        seen.append((turn.scope.principal, turn.target.chat, turn.query))
        return "seen"

    class Box:
        def take(self, *, ending: bool) -> Any:
            return [lab.inbound("and that?", id="m-2")] if not seen else []

    lab.tool("look", look, read_only=True)
    lab.model.says("First.").calls(lab_module.call("look")).says("Done.")
    first = lab.finished(lab.run("this?", id=ID, role=Role.USER, follow_ups=Box()))
    cut(lab, "assistant", 1)
    seen.clear()
    lab.model.says("Done again.")

    async def go() -> Any:
        inbound = lab.inbound("and that?", id="m-2")
        guest = Principal(channel="cli", user="bob", role=Role.OWNER)
        moved = type(inbound)(
            **{f: getattr(inbound, f) for f in inbound.__slots__ if f != "principal"},
            principal=guest,
        )
        async with lab.agent() as agent:
            return [event async for event in agent.handle(moved)]

    events = run(go())
    assert lab.finished(events).content == "Done again."
    assert lab.finished(events).turn_id == first.turn_id
    assert seen == [(Principal(channel="cli", user="alice", role=Role.USER), "direct", "this?")]


def test_another_message_closes_the_turn(lab: Any) -> None:
    lab.model.says("Hello.")
    lab.run("hi", id=ID)
    cut(lab, "user")
    lab.model.says("Other.")
    events = lab.run("other", id="m-2")
    assert lab.notices(events, "recovery") == ["The last turn was interrupted and has been closed."]
    end = lab.finished(lab.run("hi", id=ID))
    assert (end.content, end.stop_reason) == ("", StopReason.INTERRUPTED)
    assert len(lab.model.requests) == 2


def test_a_command_leaves_the_turn_to_be_taken_up(lab: Any) -> None:
    lab.model.says("Hello.")
    lab.run("hi", id=ID)
    cut(lab, "user")
    lab.run("/status")
    lab.model.says("Here.")
    assert lab.finished(lab.run("hi", id=ID)).content == "Here."


def test_a_turn_that_always_ends_the_process_is_given_up(lab: Any) -> None:
    lab.model.says("Hello.")
    lab.run("hi", id=ID)
    cut(lab, "user")
    for _ in range(MAX_RESUMES):
        lab.model.says("x")
        lab.run("hi", id=ID)
        cut(lab, "resumed", -1)
    end = lab.finished(lab.run("hi", id=ID))
    assert end.stop_reason is StopReason.INTERRUPTED and "not taken up again" in end.error
    assert lab.finished(lab.run("hi", id=ID)) == end


# --- a turn that is over -----------------------------------------------------------------------


class Shouting(AgentHook):
    def finalize_content(self, context: Any, content: str | None) -> str | None:
        return (content or "").upper()


def _plain(lab: Any, lab_module: Any) -> dict[str, Any]:
    lab.model.says("Hello.", model="m-1-2026")
    return {}


def _changed(lab: Any, lab_module: Any) -> dict[str, Any]:
    lab.model.says("Hello.")
    return {"hooks": [Shouting()]}


def _with_tools(lab: Any, lab_module: Any) -> dict[str, Any]:
    lab.returns("look")
    lab.model.calls(lab_module.call("look"), text="Looking.").says("Done.")
    return {}


def _failed(lab: Any, lab_module: Any) -> dict[str, Any]:
    lab.model.fails(AuthError("no key", remedy="Set one."), "So far")
    return {}


def _in_pieces(lab: Any, lab_module: Any) -> dict[str, Any]:
    lab.model.says("Once ", finish=FinishReason.LENGTH).says("upon.")
    return {}


def _stuck(lab: Any, lab_module: Any) -> dict[str, Any]:
    lab.limits = Limits(max_iterations=1)
    lab.returns("look")
    lab.model.calls(lab_module.call("look")).fails(TransportError("cut"), times=4)
    return {}


def _empty(lab: Any, lab_module: Any) -> dict[str, Any]:
    for _ in range(4):
        lab.model.says("")
    return {}


SCRIPTS = [_plain, _changed, _with_tools, _failed, _in_pieces, _stuck, _empty]


@pytest.mark.parametrize("later", [0, 1], ids=["at once", "after another turn"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_its_end_is_told_again(
    lab: Any, lab_module: Any, script: Callable[..., dict[str, Any]], later: int
) -> None:
    options = script(lab, lab_module)
    first = lab.finished(lab.run("hi", id=ID, **options))
    for _ in range(later):
        lab.model.says("Other.")
        lab.run("other")
        lab.run("/new")
    asked, before = len(lab.model.requests), lab.transcript().read_bytes()
    events = lab.run("hi", id=ID)
    assert events == [TurnStarted(turn_id=first.turn_id, session_key="cli:direct"), first]
    assert len(lab.model.requests) == asked and lab.transcript().read_bytes() == before


def test_its_end_is_told_again_by_the_process_that_ran_it(lab: Any) -> None:
    lab.model.says("One.").says("Two.")

    async def go() -> tuple[list[Any], list[Any]]:
        async with lab.agent() as agent:
            events = [await lab.ask(agent, text, id=text) for text in ("one", "two", "one")]
            return events[0], events[2]

    first, again = run(go())
    assert again == [replace(first[0], model=""), first[-1]] and len(lab.model.requests) == 2


def test_observers_and_middleware_are_not_told_again(lab: Any) -> None:
    told: list[Any] = []

    class Observer:
        async def observe(self, event: Any, turn: Any) -> None:
            told.append(event)

    lab.observer("o", Observer())
    lab.model.says("Hello.")
    lab.run("hi", id=ID)
    count = len(told)
    lab.run("hi", id=ID)
    assert len(told) == count


def test_messages_of_other_chats_are_other_messages(lab: Any) -> None:
    """Ids are unique within a chat; two chats may share a session."""

    async def go() -> None:
        async with lab.agent() as agent:
            for chat in ("a", "b", "b"):
                inbound = lab.inbound(chat, id="5")
                fields = {f: getattr(inbound, f) for f in inbound.__slots__ if f != "target"}
                there = type(inbound)(**fields, target=Target(channel="cli", chat=chat))
                assert [event async for event in agent.handle(there)]

    lab.model.says("A.").says("B.")
    run(go())
    assert len(lab.model.requests) == 2


def test_messages_without_an_id_are_all_new(lab: Any) -> None:
    lab.model.says("A.").says("B.")
    for _ in range(2):
        lab.run("hi", id=" ")
    assert len(lab.model.requests) == 1
    path = lab.transcript()
    path.write_bytes(path.read_bytes().replace(b'"message":" "', b'"message":""'))
    lab.run("hi", id=" ")
    assert len(lab.model.requests) == 2


# --- commands ----------------------------------------------------------------------------------


def _greeting(lab: Any, reply: str = "hello") -> list[str]:
    """Offer a command that counts its runs."""
    from nanobot.specs import CommandSpec

    runs: list[str] = []

    class Greet:
        async def run(self, request: Any) -> str:
            runs.append(request.arguments)
            return f"{reply} {len(runs)}"

    lab.offer("commands", CommandSpec(name="greet", factory="", usage="NAME"), Greet())
    return runs


def test_a_command_is_run_once(lab: Any) -> None:
    runs = _greeting(lab)
    first = lab.finished(lab.run("/greet bob", id=ID))
    before = lab.transcript().read_bytes()
    assert lab.run("/greet bob", id=ID)[-1] == first and first.content == "hello 1"
    assert runs == ["bob"] and lab.transcript().read_bytes() == before
    assert lab.finished(lab.run("/greet bob", id="m-2")).content == "hello 2"


def test_a_command_is_no_part_of_the_conversation(lab: Any) -> None:
    _greeting(lab)
    lab.model.says("One.").says("Two.")
    lab.run("one")
    lab.run("/greet my-secret-name")
    assert "greet" not in lab.run("/history")[1].text
    lab.run("two")
    assert len(lab.model.requests[-1].messages) == 3
    assert "hello" not in repr(lab.model.requests[-1].messages)
    assert "my-secret-name" not in lab.transcript().read_text(), "arguments may be secret"


def test_a_secret_in_a_reply_is_not_stored(lab: Any) -> None:
    _greeting(lab, "token=abcdefgh12345678")
    assert "abcdefgh" in lab.finished(lab.run("/greet", id=ID)).content
    assert "abcdefgh" not in lab.transcript().read_text()


def test_a_command_that_was_cut_off_is_not_run_again(lab: Any) -> None:
    """It may be the one that ends the process."""
    runs = _greeting(lab)
    lab.run("/greet", id=ID)
    cut(lab, "command", 0)
    assert "whether it took effect is not known" in lab.finished(lab.run("/greet", id=ID)).content
    assert len(runs) == 1


def test_new_is_not_done_twice(lab: Any) -> None:
    lab.model.says("One.").says("Two.")
    lab.run("/new", id=ID)
    lab.run("one")
    lab.run("/new", id=ID)
    lab.run("two")
    assert len(lab.model.requests[-1].messages) == 3


def test_a_full_disk_keeps_no_command_from_answering(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.model.says("One.")
    lab.run("one")

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.write", full)
        assert "model" in lab.finished(lab.run("/status")).content
    lab.model.says("Two.")
    assert lab.finished(lab.run("two")).content == "Two."


# --- anywhere ----------------------------------------------------------------------------------

CALLS = st.lists(st.sampled_from(["read", "put", "write"]), min_size=1, max_size=3)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("calls"), CALLS, st.sampled_from(["", "Let me see."])),
        st.tuples(st.just("cut off"), st.just([]), st.just("It is ")),
        st.tuples(st.just("blank"), st.just([]), st.just("")),
        st.tuples(st.just("answer"), st.just([]), st.just("There.")),
        st.tuples(st.just("broken"), st.just([]), st.just("It")),
    ),
    max_size=5,
)
FOLLOW_UPS = st.lists(st.integers(0, 4), max_size=4)


class Script:
    """Plays some steps and then gives a last answer, whatever it is asked."""

    def __init__(self, lab_module: Any, steps: list[Any], prefix: str) -> None:
        self._module = lab_module
        self._steps = list(steps)
        self._prefix = prefix
        self._calls = 0

    def __call__(self, request: Any) -> AsyncIterator[Any]:
        Lab.check(request.messages)
        last = request.messages[-1]
        assert isinstance(last, UserMessage) or last.tool_uses, "there is something to answer"
        answer, failure = self._module.answer, self._module.failure
        kind, names, text = self._steps.pop(0) if self._steps else ("answer", [], "The end.")
        texts = [text] if text else []
        made: Any
        if kind == "calls" and request.tool_choice == "auto":
            made = answer(*texts, calls=[self._call(name) for name in names])
        elif kind == "cut off":
            made = answer(*texts, finish=FinishReason.LENGTH)
        elif kind == "broken":
            made = failure(AuthError("no"), *texts)
        else:
            made = answer(*texts)
        return made(request)  # type: ignore[no-any-return]

    def _call(self, name: str) -> Any:
        self._calls += 1
        return self._module.call(name, id=f"{self._prefix}-{self._calls}")


class Box:
    """Gives some follow-ups each time it is asked."""

    def __init__(self, lab: Any, counts: list[int], prefix: str) -> None:
        self._lab = lab
        self._counts = list(counts)
        self._prefix = prefix
        self._given = 0

    def take(self, *, ending: bool) -> Any:
        count = self._counts.pop(0) if self._counts else 0
        self._given += count
        names = [f"{self._prefix}-f{self._given - n}" for n in range(count)]
        return [self._lab.inbound(name, id=name) for name in names]


def _tools(lab: Any) -> Counter[str]:
    """Offer three tools; return how often each call ran."""
    ran: Counter[str] = Counter()

    async def work(request: Any, turn: Any) -> str:
        ran[request.call_id] += 1
        return f"result of {request.call_id}"

    lab.tool("read", work, read_only=True)
    lab.tool("put", work, idempotent=True)
    lab.tool("write", work)
    return ran


def _stored(path: Path) -> tuple[dict[str, str], set[str]]:
    """Return the calls that a transcript holds, by id, and those that have a result."""
    calls: dict[str, str] = {}
    done: set[str] = set()
    for line in path.read_bytes().split(b"\n"):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        calls |= {call["id"]: call["name"] for call in record.get("calls", ())}
        if record["type"] == "tool":
            done.add(record["call"])
    return calls, done


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=STEPS,
    later=STEPS,
    follow_ups=FOLLOW_UPS,
    cuts=st.lists(st.integers(1, 100), min_size=1, max_size=MAX_RESUMES),
)
def test_cut_anywhere_it_goes_on(
    lab_module: Any,
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[Any],
    later: list[Any],
    follow_ups: list[int],
    cuts: list[int],
) -> None:
    """Whatever prefix of the bytes is left: valid requests, and no call is run that must not be."""
    lab = Lab(tmp_path_factory.mktemp("r"))
    ran = _tools(lab)
    lab.model.always(Script(lab_module, steps, "p0"))
    events = lab.run("go", id=ID, follow_ups=Box(lab, follow_ups, "p0"))
    path = lab.transcript()
    for number, share in enumerate(cuts, 1):
        data = path.read_bytes()
        path.write_bytes(data[: len(data) * share // 100])
        calls, done = _stored(path)
        turn = _turn_of(path)
        ended = b'"type":"end"' in path.read_bytes()
        ran.clear()
        lab.model.always(Script(lab_module, later, f"p{number}"))
        events = lab.run("go", id=ID, follow_ups=Box(lab, follow_ups, f"p{number}"))
        end = lab.finished(events)
        assert end.turn_id == turn or not turn
        assert isinstance(lab.of(events, TurnStarted)[0], TurnStarted)
        for call, name in calls.items():
            again = call not in done and name != "write" and not ended
            assert ran[call] <= again, "a finished call, or one that may not be repeated, ran"
        assert not [call for call in ran if ran[call] > 1]
        assert _stored(path)[0].keys() == _stored(path)[1], "every call has its result"
    users = [r for r in map(json.loads, _whole_lines(path)) if r["type"] == "user"]
    names = [user["message"] for user in users]
    assert names.count(ID) == 1 and len(names) == len(set(names))
    assert lab.run("go", id=ID)[-1] == end
    lab.model.always(Script(lab_module, [], "next"))
    assert lab.finished(lab.run("next")).content == "The end."


def _turn_of(path: Path) -> str:
    for line in _whole_lines(path):
        record = json.loads(line)
        if record["type"] == "user":
            return record["turn"]  # type: ignore[no-any-return]
    return ""


def _whole_lines(path: Path) -> list[bytes]:
    lines = []
    for line in path.read_bytes().splitlines():
        try:
            json.loads(line)
        except ValueError:
            continue
        lines.append(line)
    return lines


WRITES = 8  # header, user, answer with two calls, two results, follow-up, answer, end


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0], ids=["before", "midst", "after"])
@pytest.mark.parametrize("number", range(1, WRITES + 1))
def test_a_process_killed_at_any_write_goes_on(
    lab: Any, lab_module: Any, monkeypatch: pytest.MonkeyPatch, number: int, share: float
) -> None:
    ran = lab.instance.workspace / "ran"
    ran.mkdir()

    async def work(request: Any, turn: Any) -> str:
        (ran / f"{request.name}-{len(list(ran.iterdir()))}").touch()
        return "done"

    lab.tool("write", work)
    lab.tool("read", work, read_only=True)
    calls = [lab_module.call("write", id="w"), lab_module.call("read", id="r")]
    lab.model.calls(*calls, text="Working.").says("All is done.")
    child = os.fork()
    if child == 0:
        try:
            _die_at(monkeypatch, number, share)
            lab.run("do it", id=ID, follow_ups=Box(lab, [1], "p0"))
        finally:
            os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    wrote = len(list(ran.glob("write-*")))
    calls_stored, done = _stored(lab.transcript()) if number > 1 or share else ({}, set())
    lab.model.forget().always(lab_module.answer("All is done."))
    end = lab.finished(lab.run("do it", id=ID))
    assert end.content == "All is done." and end.error == ""
    assert len(list(ran.glob("write-*"))) == wrote, "it is not repeated"
    kinds = {use.call.id: use.result.kind for use in _uses(lab)}
    if "w" in calls_stored and lab.model.requests:
        assert kinds == {"w": "" if "w" in done else "unknown_outcome", "r": ""}


def _uses(lab: Any) -> list[Any]:
    if not lab.model.requests:
        return []
    messages = lab.model.requests[-1].messages
    return [use for m in messages if not isinstance(m, UserMessage) for use in m.tool_uses]


def _die_at(monkeypatch: pytest.MonkeyPatch, number: int, share: float) -> None:
    real, count = os.write, 0

    def write(descriptor: int, data: bytes) -> int:
        nonlocal count
        count += 1
        if count == number:
            real(descriptor, data[: int(len(data) * share)])
            os.kill(os.getpid(), signal.SIGKILL)
        return real(descriptor, data)

    monkeypatch.setattr("os.write", write)
