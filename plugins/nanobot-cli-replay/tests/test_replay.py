"""What happened happens again; what has changed is found."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nanobot.admin import load
from nanobot.engine import Limits
from nanobot.errors import AuthError, ConfigError, ContextOverflow, ToolError, TransportError
from nanobot.messages import (
    FinishReason,
    Image,
    Inbound,
    Origin,
    Role,
    StopReason,
    ToolResult,
)
from nanobot_cli_replay.recording import Recording, find, read
from nanobot_cli_replay.replaying import Outcome, replay
from nanobot_testing import run
from nanobot_testing.lab import Lab, answer, call

Again = Callable[..., Outcome]


def same(outcome: Outcome) -> None:
    assert outcome.difference is None, str(outcome.difference)
    assert outcome.records > 0 and not outcome.skipped


def lines(lab: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lab.transcript().read_text().splitlines()]


def rewrite(lab: Any, records: list[dict[str, Any]]) -> None:
    lab.transcript().write_text("".join(json.dumps(record) + "\n" for record in records))


# --- the same again ------------------------------------------------------------------------------


def test_turns_with_tools(lab: Any, again: Again) -> None:
    lab.returns("look", "seen", read_only=True)
    lab.raises("ask", ToolError("no such thing", kind="not_found", target="x"))
    lab.prompt("time", lambda turn: f"It is {turn.now}.", placement="turn")
    lab.model.calls(call("look", '{"at": 1}', id="1"), call("look", id="2"), text="Let me see.")
    lab.model.calls(call("ask", id="1"), call("nothing", id="2"), call("look", "{bad", id="3"))
    lab.model.says("Done", " and dusted.", model="m-2", reasoning=["hm"])
    lab.model.says("Again.")
    lab.run("one", "two")
    outcome = again()
    same(outcome)
    assert [end.content for _, end in outcome.ends] == ["Done and dusted.", "Again."]
    assert outcome.ends[0][1].tools_used == ("look", "ask")


def test_each_turn_alone(lab: Any, again: Again) -> None:
    lab.returns("look", "seen")
    for number in range(3):
        lab.model.calls(call("look", id="same")).says(f"Answer {number}.")
    lab.run("one", "two", "three")
    for number in (1, 2, 3):
        outcome = again(number)
        same(outcome)
        assert [end.content for _, end in outcome.ends] == [f"Answer {number - 1}."]
        assert outcome.records == 5
    with pytest.raises(ConfigError, match="there is no turn 4"):
        again(4)


def test_errors(lab: Any, again: Again) -> None:
    lab.model.fails(AuthError("the key is wrong", remedy="Set another one."))
    lab.model.fails(AuthError("gone"), "I was about to")
    lab.model.fails(TransportError("reset"), times=2).says("Here I am.")
    lab.run("one", "two", "three")
    outcome = again()
    same(outcome)
    assert [end.error for _, end in outcome.ends] == [
        "the key is wrong\nSet another one.",
        "gone",
        "",
    ]


def test_answers_that_go_on_and_prompts_that_were_too_long(lab: Any, again: Again) -> None:
    lab.model.says("First half,", finish=FinishReason.LENGTH).says(" second half.")
    lab.model.fails(ContextOverflow("too long")).says("Short.")
    lab.model.says("").says("").says("")
    lab.run("one", "two", "three")
    same(again())


def test_limits(lab: Any, again: Again) -> None:
    lab.limits = Limits(max_iterations=3)
    lab.returns("look", "seen")
    lab.model.calls(call("look")).calls(call("look")).calls(call("look")).says("That is all.")
    lab.run("one")
    config = {"agents": {"defaults": {"maxToolIterations": 3}}}
    same(again(config=config))
    difference = again(config={"agents": {"defaults": {"maxToolIterations": 2}}}).difference
    assert difference is not None and difference.type == "assistant"


def test_no_progress_and_blocked_addresses(lab: Any, again: Again) -> None:
    lab.returns("look", "always the same")
    lab.returns("fetch", ToolResult.error("blocked_address", "10.0.0.1 is private"))
    for number in range(8):
        lab.model.calls(call("look", id=f"c{number}"))
    lab.run("one")
    lab.model.forget().calls(call("fetch", id="1"), call("look", id="2"))
    lab.run("two")
    same(again())


def test_pictures(lab: Any, again: Again) -> None:
    picture = Image(data=b"\x89PNG", media_type="image/png", name="a.png")
    lab.returns("draw", ToolResult.ok(picture))
    lab.model.calls(call("draw")).says("Nice.")
    lab.run([picture])
    same(again())


def test_commands(lab: Any, again: Again) -> None:
    lab.presets["fast"] = (lab.choice(model="m-fast"),)
    lab.model.says("One.").says("Two.")
    lab.run("one", "/model fast", "/status", "/nosuch thing", "/new", "two", "/history")
    same(again())


class Mailbox:
    """Gives a batch of messages each time it is asked."""

    suspended = False

    def __init__(self, *batches: list[Inbound]) -> None:
        self.batches = list(batches)

    def take(self, *, ending: bool) -> list[Inbound]:
        return self.batches.pop(0) if self.batches else []


def test_messages_that_joined(lab: Any, again: Again) -> None:
    lab.returns("look", "seen")
    lab.model.calls(call("look")).says("Wait.").fails(AuthError("no"), "Half").says("Done.")
    box = Mailbox([lab.inbound("also this")], [lab.inbound("a"), lab.inbound("b")])
    box.batches.append([lab.inbound("last")])
    lab.run("one", follow_ups=box)
    assert sum(record["type"] == "user" for record in lines(lab)) == 5
    same(again())


# --- what was cut off ----------------------------------------------------------------------------


async def stopped(lab: Any, text: str, *, id: str, suspended: bool = False) -> None:
    """Let a turn run until the model hangs, and stop it."""
    box = Mailbox()
    box.suspended = suspended
    lab.model.waiting = asyncio.Event()
    async with lab.agent() as agent:
        turn = asyncio.create_task(lab.ask(agent, text, id=id, follow_ups=box))
        waiting = asyncio.create_task(lab.model.waiting.wait())
        await asyncio.wait({turn, waiting}, return_when=asyncio.FIRST_COMPLETED)
        assert waiting.done()
        turn.cancel()
        with suppress(asyncio.CancelledError):
            await turn


def hanging(lab: Any, name: str, **definition: Any) -> None:
    """Offer a tool that hangs the first time."""
    calls = []

    async def handler(request: Any, turn: Any) -> str:
        calls.append(request)
        if len(calls) == 1:
            lab.model.waiting.set()
            await asyncio.Event().wait()
        return "done after all"

    lab.tool(name, handler, **definition)


def test_turns_that_were_stopped(lab: Any, again: Again) -> None:
    lab.model.hangs("I was say", "ing").hangs()
    run(stopped(lab, "one", id="m-1"))
    run(stopped(lab, "two", id="m-2"))
    hanging(lab, "work")
    lab.model.calls(call("work", id="w"))
    run(stopped(lab, "three", id="m-3"))
    lab.model.says("Now.")
    lab.run("four")
    assert [r["stop_reason"] for r in lines(lab) if r["type"] == "end"] == [
        "cancelled",
        "cancelled",
        "cancelled",
        "completed",
    ]
    same(again())


def test_a_call_that_was_cut_off_does_not_get_the_result_of_another(lab: Any, again: Again) -> None:
    lab.returns("look", "seen")
    hanging(lab, "work")
    lab.model.calls(call("look", id="same")).calls(call("work", id="same"))
    run(stopped(lab, "one", id="m-1"))
    same(again())


def test_turns_that_were_interrupted(lab: Any, again: Again) -> None:
    lab.returns("look", "seen")
    hanging(lab, "work")
    lab.model.calls(call("look", id="1"), call("work", id="2"))
    run(stopped(lab, "one", id="m-1", suspended=True))
    lab.model.says("Now.")
    lab.run("two")  # closes the first
    lab.model.hangs("Half an ans")
    run(stopped(lab, "three", id="m-3", suspended=True))
    assert [r["stop_reason"] for r in lines(lab) if r["type"] == "end"] == [
        "interrupted",
        "completed",
    ]
    same(again())
    same(again(1))
    same(again(3))


@pytest.mark.parametrize("idempotent", [False, True])
def test_turns_that_went_on(lab: Any, again: Again, idempotent: bool) -> None:
    hanging(lab, "work", idempotent=idempotent)
    lab.model.calls(call("work", id="w"), text="Working.")
    run(stopped(lab, "one", id="m-1", suspended=True))
    lab.model.hangs("Half").says(" and whole.")
    run(stopped(lab, "one", id="m-1", suspended=True))
    lab.run("one", id="m-1")
    found = lines(lab)
    assert [r["type"] for r in found].count("resumed") == 2
    kinds = [r.get("kind") for r in found if r["type"] == "tool"]
    assert kinds == ([None] if idempotent else ["unknown_outcome"])
    same(again())
    same(again(1))


def test_turns_that_were_given_up(lab: Any, again: Again) -> None:
    for _ in range(4):
        lab.model.hangs()
        run(stopped(lab, "one", id="m-1", suspended=True))
    lab.run("one", id="m-1")
    assert lines(lab)[-1]["stop_reason"] == StopReason.INTERRUPTED
    same(again())


def test_a_torn_transcript(lab: Any, again: Again, recording: Callable[[], Recording]) -> None:
    lab.model.says("One.").says("Two.")
    lab.run("one")
    with lab.transcript().open("a") as file:
        file.write('{"type":"assi')
    lab.run("two")
    assert len(recording().turns) == 2
    same(again())


def test_what_depends_on_time_is_left_out(lab: Any, again: Again) -> None:
    lab.model.says("One.").says("Two.")
    lab.run("one", "two")
    found = lines(lab)
    ends = [record for record in found if record["type"] == "end"]
    ends[0]["stop_reason"] = "time_limit"
    rewrite(lab, found)
    outcome = again()
    assert outcome.difference is None and outcome.skipped == {1: "its end depended on time"}
    assert [end.content for _, end in outcome.ends] == ["Two."]


# --- what has changed ----------------------------------------------------------------------------


def test_the_first_difference_is_told(lab: Any, again: Again) -> None:
    lab.returns("look", "seen")
    lab.model.says("One.").calls(call("look", id="1")).says("Two.")
    lab.run("one", "two")
    good = lines(lab)

    def changed(kind: str, number: int, **fields: Any) -> Any:
        records = [dict(record) for record in good]
        [record for record in records if record["type"] == kind][number].update(fields)
        rewrite(lab, records)
        difference = again().difference
        assert difference is not None
        return difference

    found = changed("end", 1, stop_reason="max_iterations")
    assert (found.turn, found.record, found.type) == (2, 8, "end")
    assert (found.field, found.recorded) == ("stop_reason", "max_iterations")
    assert found.replayed == "completed"
    assert "turn 2, record 8 (end), field stop_reason" in str(found)
    found = changed("end", 0, tools=["look"])
    assert (found.turn, found.field, found.replayed) == (1, "tools", None)
    rewrite(lab, [record for record in good if record["type"] != "tool"])
    found = again().difference
    assert found is not None and (found.turn, found.record) == (2, 6)
    assert found.recorded["text"] == "Two." and found.replayed is None


def test_a_missing_end_is_told(lab: Any, again: Again) -> None:
    """A turn that was killed between its answer and its end comes to its end in a replay."""
    lab.model.says("One.")
    lab.run("one")
    rewrite(lab, lines(lab)[:-1])
    found = again().difference
    assert found is not None and found.type == "end" and found.recorded is None
    assert "recorded: nothing" in str(found)


def test_a_message_is_read_back_as_it_came_in(lab: Any, recording: Callable[[], Recording]) -> None:
    lab.model.says("Hi.")
    given = lab.inbound("one", session="feishu:oc_1", role=Role.USER, origin=Origin.SCHEDULE)

    async def go() -> None:
        async with lab.agent() as agent:
            assert [event async for event in agent.handle(given)]

    run(go())
    made = recording()
    assert made.key == "feishu:oc_1"
    assert [exchange.inbound for exchange in made.exchanges] == [given]


# --- whatever happens ----------------------------------------------------------------------------

NAMES = st.sampled_from(["look", "fail", "nothing"])
ARGUMENTS = st.sampled_from(["{}", '{"at": 1}', "{bad", ""])
CALLS = st.lists(st.tuples(NAMES, ARGUMENTS), min_size=1, max_size=3)
TEXT = st.sampled_from(["", " ", "some words", "ünïcode\u2028"])
REASONS = st.sampled_from([FinishReason.STOP, FinishReason.LENGTH, FinishReason.REFUSAL])
STEPS = st.one_of(
    st.tuples(st.just("says"), TEXT, REASONS),
    st.tuples(st.just("calls"), TEXT, CALLS),
    st.tuples(st.just("fails"), TEXT, st.sampled_from([AuthError("no"), ContextOverflow("long")])),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(STEPS, max_size=5), min_size=1, max_size=3))
def test_any_session_comes_to_the_same(turns: list[list[Any]]) -> None:
    with TemporaryDirectory() as place:
        lab = Lab(Path(place))
        lab.returns("look", "seen")
        lab.raises("fail", ToolError("no", kind="not_found"))
        for steps in turns:
            for kind, text, what in steps:
                if kind == "says":
                    lab.model.says(text, finish=what)
                elif kind == "calls":
                    made = [call(name, json_, f"c{n}") for n, (name, json_) in enumerate(what)]
                    lab.model.calls(*made, text=text)
                else:
                    lab.model.fails(what, *([text] if text else []))
            lab.model.always(answer("The end."))
            lab.run("go")
            lab.model.forget()
        sys.modules.pop(lab.module.__name__)
        path, key = find(lab.instance.sessions, "cli:direct")
        loaded = load(lab.instance.config, environ={"NANOBOT_PLUGINS": "engines.standard"})
        made = read(path, key)
        options: Any = {"live_tools": False, "workspace": lab.instance.workspace}
        same(run(replay(loaded, made, turn=None, **options)))
        same(run(replay(loaded, made, turn=len(made.turns), **options)))
