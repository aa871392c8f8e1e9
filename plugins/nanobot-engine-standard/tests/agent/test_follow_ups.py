"""What is said while a turn runs joins it, at safe points and a few messages at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import pytest
from nanobot.engine import Limits
from nanobot.errors import AuthError, TransportError
from nanobot.events import Notice, StreamEnd, TextDelta, TurnFinished
from nanobot.messages import (
    AssistantMessage,
    FinishReason,
    Image,
    Inbound,
    StopReason,
    Text,
    UserMessage,
    text_of,
)
from nanobot_engine_standard.following import MAX_DRAINS, MAX_MESSAGES
from nanobot_testing import run


class Mailbox:
    """Gives what it was given, a batch each time it is asked."""

    suspended = False

    def __init__(self, *batches: Sequence[Inbound]) -> None:
        self.batches = list(batches)
        self.asked = 0

    def take(self, *, ending: bool) -> Sequence[Inbound]:
        self.asked += 1
        return self.batches.pop(0) if self.batches else ()


def mailbox(lab: Any, *batches: Sequence[str]) -> Mailbox:
    """Return a mailbox of texts; each text is its message's id too."""
    return Mailbox(*([lab.inbound(text, id=text) for text in batch] for batch in batches))


def said(request: Any) -> list[str]:
    """Return the user's texts that a model was sent."""
    return [text_of(m.parts) for m in request.messages if isinstance(m, UserMessage)]


def records(lab: Any, kind: str) -> list[dict[str, Any]]:
    made = [json.loads(line) for line in lab.transcript().read_text().splitlines()]
    return [record for record in made if record["type"] == kind]


def test_it_joins_after_the_tools_of_a_step(lab: Any, lab_module: Any) -> None:
    lab.returns("look", "seen")
    lab.model.calls(lab_module.call("look"), text="Looking.").says("Both done.")
    box = mailbox(lab, ["and that?"])
    end = lab.finished(lab.run("do this", follow_ups=box))
    assert end.content == "Both done." and end.stop_reason is StopReason.COMPLETED
    sent = lab.model.requests[1].messages
    assert [type(message) for message in sent] == [UserMessage, AssistantMessage, UserMessage]
    assert said(lab.model.requests[1]) == ["do this", "and that?"]
    lab.check(sent)


def test_it_joins_when_the_answer_is_there(lab: Any) -> None:
    lab.model.says("First.").says("Second.")
    events = lab.run("one", follow_ups=mailbox(lab, ["two"]))
    assert [event.resuming for event in lab.of(events, StreamEnd)] == [True, False]
    assert lab.finished(events).content == "Second.", "the final answer only"
    assert lab.shown(events) == "First.Second."
    sent = lab.model.requests[1].messages
    assert [getattr(m, "text", "") or text_of(m.parts) for m in sent] == ["one", "First.", "two"]
    lab.model.says("ok")
    lab.run("three")
    assert said(lab.model.requests[2]) == ["one", "two", "three"]
    assert (
        "First." in lab.run("/history")[1].text and "- **user**: two" in lab.run("/history")[1].text
    )


def test_all_belong_to_one_turn(lab: Any) -> None:
    lab.model.says("First.").says("Second.")
    events = lab.run("one", follow_ups=mailbox(lab, ["two"]))
    turn = lab.finished(events).turn_id
    users = records(lab, "user")
    assert [user["turn"] for user in users] == [turn, turn] and users[1]["message"] == "two"
    assert len(records(lab, "end")) == 1
    assert "1 turns" in lab.run("/status")[1].text


def test_it_is_stored_before_the_model_reads_it(
    lab: Any, lab_module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    real = os.fsync
    monkeypatch.setattr("os.fsync", lambda fd: (order.append("sync"), real(fd))[1])

    async def answer(request: Any) -> Any:
        order.append(f"asked {len(records(lab, 'user'))}")
        async for event in lab_module.answer("ok")(request):
            yield event

    lab.model.then(answer).then(answer)
    lab.run("one", follow_ups=mailbox(lab, ["two"]))
    assert order[-4:] == ["asked 1", "sync", "asked 2", "sync"]


def test_at_most_so_many_at_once_and_so_often(lab: Any, lab_module: Any) -> None:
    lab.model.always(lab_module.answer("ok"))
    box = mailbox(lab, *([f"{n}"] for n in range(20)))
    lab.run("go", follow_ups=box)
    assert len(lab.model.requests) == MAX_DRAINS + 1
    assert box.asked == MAX_DRAINS and len(box.batches) == 20 - MAX_DRAINS, "the rest is left"


def test_what_was_given_at_once_is_read_in_portions_and_never_lost(
    lab: Any, lab_module: Any
) -> None:
    lab.model.always(lab_module.answer("ok"))
    lab.run("go", follow_ups=mailbox(lab, [f"{n}" for n in range(20)]))
    counts = [len(said(request)) for request in lab.model.requests]
    assert counts == [1, 2, 3, 4, 5, 6], "each portion is one message for the model"
    parts = [len(m.parts) for m in lab.model.requests[-1].messages if isinstance(m, UserMessage)]
    assert parts == [1, *[MAX_MESSAGES] * (MAX_DRAINS - 1), 20 - MAX_MESSAGES * (MAX_DRAINS - 1)]
    assert [user["message"] for user in records(lab, "user")][1:] == [f"{n}" for n in range(20)]


def test_what_is_left_at_a_stop_is_in_the_transcript(lab: Any, lab_module: Any) -> None:
    lab.limits = Limits(max_iterations=1)
    lab.returns("work")
    lab.model.calls(lab_module.call("work")).says("So far.").says("ok")
    lab.run("go", follow_ups=mailbox(lab, [f"{n}" for n in range(5)]))
    assert len(records(lab, "user")) == 6
    lab.run("next")
    lab.check(lab.model.requests[-1].messages)
    assert said(lab.model.requests[-1])[-2:] == ["3\n4", "next"]


def test_a_message_that_is_there_already_does_not_join_again(lab: Any) -> None:
    lab.model.says("First.").says("Second.")
    again = lab.inbound("one", id="m-1")
    box = Mailbox([again], [lab.inbound("two", id="m-2"), again, lab.inbound("two", id="m-2")])
    lab.run("one", id="m-1", follow_ups=box)
    assert len(lab.model.requests) == 1, "nothing new"
    lab.run("three", id="m-3", follow_ups=Mailbox(*box.batches))
    assert [user["message"] for user in records(lab, "user")] == ["m-1", "m-3", "m-2"]


def test_it_joins_after_a_failed_call(lab: Any) -> None:
    lab.model.fails(TransportError("line cut"), "It is").says("Better.")
    events = lab.run("one", follow_ups=mailbox(lab, ["still there?"]))
    assert lab.notices(events, "warning") == ["line cut"]
    assert lab.finished(events).content == "Better." and lab.finished(events).error == ""
    texts = [getattr(m, "text", "") or text_of(m.parts) for m in lab.model.requests[1].messages]
    assert texts == ["one", "It is", "still there?"]


def test_a_failed_call_that_said_nothing_leaves_one_message_for_the_model(lab: Any) -> None:
    lab.prompt("mood", lambda turn: "volatile", placement="turn")
    lab.model.fails(AuthError("no")).says("Better.")
    lab.run("one", follow_ups=mailbox(lab, ["two"]))
    (message,) = lab.model.requests[1].messages
    assert [part.text for part in message.parts] == ["one", "two"]
    assert message.context.endswith("volatile"), "what is volatile comes last"


def test_a_failure_without_follow_ups_ends_the_turn(lab: Any) -> None:
    lab.model.fails(AuthError("no"))
    assert lab.finished(lab.run("one", follow_ups=mailbox(lab, []))).error == "no"


def test_an_empty_answer_is_not_told_when_somebody_goes_on(lab: Any) -> None:
    for _ in range(4):
        lab.model.says("")
    lab.model.says("Here.")
    events = lab.run("one", follow_ups=mailbox(lab, ["hello?"]))
    assert lab.finished(events).content == "Here." == lab.shown(events)
    assert lab.finished(events).stop_reason is StopReason.COMPLETED


def test_an_answer_that_was_cut_off_before_is_no_part_of_the_next(lab: Any) -> None:
    lab.model.says("Once ", finish=FinishReason.LENGTH).says("upon.").says("Two.")
    assert lab.finished(lab.run("one", follow_ups=mailbox(lab, ["two"]))).content == "Two."


def test_a_nudge_and_a_follow_up_do_not_meet(lab: Any, lab_module: Any) -> None:
    lab.returns("look", "the same")
    for _ in range(4):
        lab.model.calls(lab_module.call("look"))
    lab.model.says("ok")
    box = mailbox(lab, [], [], [], ["try b"])
    lab.run("go", follow_ups=box)
    assert said(lab.model.requests[-1]) == ["go", "try b"]
    for request in lab.model.requests:
        lab.check(request.messages)


def test_pictures_may_follow(lab: Any) -> None:
    picture = Image(data=b"\x89PNG", media_type="image/png", name="cat")
    lab.model.says("Send it.").says("A cat.")
    box = Mailbox([lab.inbound([picture, Text(text="here")], id="p")])
    lab.run("what is it?", follow_ups=box)
    assert lab.model.requests[1].messages[-1].parts[0] == picture


def test_a_disk_that_is_full_ends_the_turn_in_words(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    async def go() -> list[Any]:
        events = []
        lab.model.says("First.")
        async with lab.agent() as agent:
            box = mailbox(lab, ["two"])
            async for event in agent.handle(lab.inbound("one"), follow_ups=box):
                events.append(event)
                if isinstance(event, TextDelta):
                    monkeypatch.setattr("os.write", full)
        return events

    events = run(go())
    monkeypatch.undo()
    assert isinstance(events[-1], TurnFinished) and "can not be written" in events[-1].error
    lab.model.says("ok")
    assert lab.of(lab.run("again"), Notice), "the turn was left open and is closed now"
    lab.check(lab.model.requests[-1].messages)
