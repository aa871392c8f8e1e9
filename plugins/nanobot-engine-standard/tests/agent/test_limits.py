"""Where a turn ends before the model does: rounds, progress, tokens, time, and refusals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from nanobot.engine import Limits
from nanobot.errors import BlockedAddress, OutsideWorkspace, RateLimitError, TransportError
from nanobot.events import ToolFinished
from nanobot.messages import (
    AssistantMessage,
    BilledTokens,
    FinishReason,
    StopReason,
    ToolResult,
    Usage,
    UserMessage,
    text_of,
)

NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}}


def _work_for_ever(lab: Any, lab_module: Any) -> None:
    """Call a tool with a new argument each time, but answer when tools are forbidden."""

    def step(request: Any) -> AsyncIterator[Any]:
        if request.tool_choice == "none":
            made: AsyncIterator[Any] = lab_module.answer("That is how far I got.")(request)
            return made
        number = len(lab.model.requests)
        return lab_module.answer(calls=[lab_module.call("work", f'{{"n": {number}}}')])(request)

    lab.model.always(step)


def test_at_the_last_round_the_model_sums_up(lab: Any, lab_module: Any) -> None:
    lab.limits = Limits(max_iterations=3)
    tool = lab.returns("work", parameters=NUMBER)
    _work_for_ever(lab, lab_module)
    end = lab.finished(lab.run("go"))
    assert (end.content, end.stop_reason) == ("That is how far I got.", StopReason.MAX_ITERATIONS)
    assert len(tool.requests) == 3 and len(lab.model.requests) == 4
    assert "limit of 3 tool rounds" in text_of(lab.model.requests[-1].messages[-1].parts)
    assert end.error == ""


def test_without_a_summary_we_say_it_ourselves(lab: Any, lab_module: Any) -> None:
    lab.limits = Limits(max_iterations=1)
    lab.returns("work")
    lab.model.calls(lab_module.call("work")).fails(TransportError("line cut"), times=4)
    events = lab.run("go")
    end = lab.finished(events)
    assert end.stop_reason is StopReason.MAX_ITERATIONS and end.content == lab.shown(events)
    assert "1 rounds" in end.content and "line cut" in end.content


def test_the_summary_is_kept_and_its_request_is_not(lab: Any, lab_module: Any) -> None:
    lab.limits = Limits(max_iterations=1)
    lab.returns("work")
    lab.model.calls(lab_module.call("work")).says("Half done.").says("ok")
    lab.run("go", "go on")
    sent = lab.model.requests[-1].messages
    assert [text_of(m.parts) for m in sent if isinstance(m, UserMessage)] == ["go", "go on"]
    assert sent[-2].text == "Half done."


def test_the_summary_is_no_part_of_an_answer_that_was_cut(lab: Any) -> None:
    lab.limits = Limits(max_iterations=1)
    lab.model.says("Once upon", finish=FinishReason.LENGTH).says("I ran out.").says("ok")
    assert lab.finished(lab.run("tell")).content == "I ran out."
    lab.run("go on")
    answers = [m.text for m in lab.model.requests[-1].messages if isinstance(m, AssistantMessage)]
    assert answers == ["Once upon", "I ran out."]


# --- progress ----------------------------------------------------------------------------------


def test_a_model_that_goes_round_in_circles_is_nudged_and_stopped(
    lab: Any, lab_module: Any
) -> None:
    lab.returns("look", "the same")

    def step(request: Any) -> AsyncIterator[Any]:
        if request.tool_choice == "none":
            made: AsyncIterator[Any] = lab_module.answer("I am stuck.")(request)
            return made
        return lab_module.answer(calls=[lab_module.call("look")])(request)

    lab.model.always(step)
    end = lab.finished(lab.run("go"))
    assert (end.content, end.stop_reason) == ("I am stuck.", StopReason.NO_PROGRESS)
    notes = [text_of(request.messages[-1].parts) for request in _nudged(lab)]
    assert len(notes) == 3 and all("Do something different" in note for note in notes)
    assert len(lab.model.requests) == 8, "seven rounds, six of them stale, and the summary"


def _nudged(lab: Any) -> list[Any]:
    return [
        request
        for request in lab.model.requests
        if isinstance(request.messages[-1], UserMessage)
        and "nothing that you did not already have" in text_of(request.messages[-1].parts)
    ]


def test_new_results_are_progress(lab: Any, lab_module: Any) -> None:
    counter = iter(range(100))

    async def poll(request: Any, turn: Any) -> str:
        return f"line {next(counter)}"

    lab.tool("poll", poll)
    for _ in range(10):
        lab.model.calls(lab_module.call("poll"))
    lab.model.says("done")
    assert lab.finished(lab.run("go")).content == "done" and not _nudged(lab)


def test_something_new_makes_the_count_start_anew(lab: Any, lab_module: Any) -> None:
    lab.returns("look", parameters=NUMBER)
    for number in (1, 1, 1, 2, 2, 2, 3):
        lab.model.calls(lab_module.call("look", f'{{"n": {number}}}'))
    lab.model.says("done")
    assert lab.finished(lab.run("go")).content == "done" and not _nudged(lab)


# --- tokens and time ---------------------------------------------------------------------------


def test_a_turn_has_a_budget_of_tokens(lab: Any, lab_module: Any) -> None:
    lab.limits = Limits(max_turn_tokens=1000)
    lab.returns("work", parameters=NUMBER)
    usage = Usage(billed=BilledTokens(input=300, output=100), calls=1)
    for number in range(3):
        lab.model.calls(lab_module.call("work", f'{{"n": {number}}}'), usage=usage)
    events = lab.run("go")
    end = lab.finished(events)
    assert end.stop_reason is StopReason.TOKEN_LIMIT and "1000 tokens" in end.content
    assert end.usage.billed.input == 900 and lab.model.left == 0, "the model is not asked again"
    assert lab.shown(events) == end.content


def test_an_answer_beyond_the_budget_is_still_the_answer(lab: Any) -> None:
    lab.limits = Limits(max_turn_tokens=1)
    lab.model.says("Too dear, but here.")
    assert lab.finished(lab.run("go")).stop_reason is StopReason.COMPLETED


def test_a_turn_ends_when_its_time_is_up(lab: Any) -> None:
    lab.limits = Limits(turn_timeout_s=0.05)
    lab.model.hangs("It is")
    end = lab.finished(lab.run("go"))
    assert end.stop_reason is StopReason.TIME_LIMIT and "0.05 s" in end.error
    assert end.content == "It is" and lab.model.closed == 1


def test_a_tool_is_stopped_when_the_time_of_the_turn_is_up(lab: Any, lab_module: Any) -> None:
    async def forever(request: Any, turn: Any) -> str:
        await asyncio.Event().wait()
        return ""

    lab.limits = Limits(turn_timeout_s=0.05)
    lab.tool("slow", forever)
    lab.model.calls(lab_module.call("slow"))
    events = lab.run("go")
    assert lab.of(events, ToolFinished)[0].result.kind == "timeout"
    assert lab.finished(events).stop_reason is StopReason.TIME_LIMIT


def test_a_wait_that_does_not_fit_the_turn_is_not_begun(lab: Any) -> None:
    lab.limits = Limits(turn_timeout_s=30)
    lab.model.fails(RateLimitError("slow", retry_after=45))
    assert lab.finished(lab.run("go")).error == "slow" and not lab.clock.slept


# --- refusals ----------------------------------------------------------------------------------


def test_a_blocked_address_ends_the_turn(lab: Any, lab_module: Any) -> None:
    fetch = lab.raises("fetch", BlockedAddress("10.0.0.1 is private", target="http://10.0.0.1/"))
    write = lab.returns("write")
    lab.model.calls(lab_module.call("fetch"), lab_module.call("write"))
    events = lab.run("go")
    end = lab.finished(events)
    assert end.stop_reason is StopReason.BLOCKED and "10.0.0.1 is private" in end.content
    assert fetch.requests and not write.requests, "nothing runs after it"
    lab.model.says("ok")
    lab.run("and now?")
    uses = lab.model.requests[-1].messages[1].tool_uses
    assert [use.result.kind for use in uses] == ["blocked_address", "not_run"]


def test_a_result_of_that_kind_ends_the_turn_as_well(lab: Any, lab_module: Any) -> None:
    lab.returns("fetch", ToolResult.error("blocked_address", "no"))
    lab.model.calls(lab_module.call("fetch"))
    assert lab.finished(lab.run("go")).stop_reason is StopReason.BLOCKED


def test_words_alone_never_end_a_turn(lab: Any, lab_module: Any) -> None:
    lab.returns("fetch", ToolResult.error("failed", "private address, outside the workspace"))
    lab.model.calls(lab_module.call("fetch")).says("ok")
    assert lab.finished(lab.run("go")).stop_reason is StopReason.COMPLETED


@pytest.mark.parametrize(
    "spellings",
    [
        ["/etc/shadow", "/etc/shadow", "/etc/shadow"],
        ["/etc/shadow", "/etc/../etc/shadow", "//etc//shadow/"],
        ["../../../../../../../../../../etc/shadow", "/etc/shadow", "/ETC/shadow"],
    ],
)
def test_the_third_attempt_at_a_refused_place_is_answered_with_stop(
    lab: Any, lab_module: Any, spellings: list[str]
) -> None:
    """Whatever the tool and the spelling; the turn goes on."""
    names = ["read_file", "exec", "grep"]
    for name, target in zip(names, spellings, strict=True):
        lab.raises(name, OutsideWorkspace(f"{target} is outside", target=target))
        lab.model.calls(lab_module.call(name))
    lab.model.says("May I read it?")
    events = lab.run("go")
    results = [event.result for event in lab.of(events, ToolFinished)]
    assert [result.kind for result in results] == ["outside_workspace"] * 3
    assert [result.text for result in results[:2]] == [f"{t} is outside" for t in spellings[:2]]
    assert "attempt 3" in results[2].text and spellings[2] in results[2].text
    assert "ask" in results[2].text
    assert lab.finished(events).stop_reason is StopReason.COMPLETED


def test_links_to_a_refused_place_count_as_the_place(lab: Any, lab_module: Any) -> None:
    (lab.instance.workspace / "link").symlink_to("/etc")
    for number, target in enumerate(["/etc/shadow", "link/shadow", "./link/shadow"]):
        lab.raises(f"tool_{number}", OutsideWorkspace("outside", target=target))
        lab.model.calls(lab_module.call(f"tool_{number}"))
    lab.model.says("ok")
    assert "attempt 3" in lab.of(lab.run("go"), ToolFinished)[2].result.text


def test_other_places_and_other_turns_count_apart(lab: Any, lab_module: Any) -> None:
    for number in range(3):
        lab.raises(f"tool_{number}", OutsideWorkspace("outside", target=f"/etc/file{number}"))
    for _ in range(2):
        for number in range(3):
            lab.model.calls(lab_module.call(f"tool_{number}", f'{{"a": {number}}}'))
        lab.model.says("ok")
    for events in (lab.run("go"), lab.run("go")):
        assert {event.result.text for event in lab.of(events, ToolFinished)} == {"outside"}
