"""Answers that are blank, cut off or malformed: asked for again, and joined once."""

from __future__ import annotations

from typing import Any

import pytest
from nanobot.errors import ContextOverflow, RateLimitError
from nanobot.events import StreamEnd, ToolFinished
from nanobot.messages import AssistantMessage, FinishReason, StopReason, UserMessage, text_of
from nanobot_testing import run

LENGTH = FinishReason.LENGTH


def note_of(request: Any) -> str:
    """Return the words of a request's last message."""
    last = request.messages[-1]
    assert isinstance(last, UserMessage)
    return text_of(last.parts)


# --- blank answers -----------------------------------------------------------------------------


def test_a_blank_answer_is_asked_for_again_as_it_was(lab: Any) -> None:
    lab.model.says().says("Here I am.")
    events = lab.run("hi")
    first, second = lab.model.requests
    assert first.messages == second.messages and second.tool_choice == "auto"
    assert lab.finished(events).content == lab.shown(events) == "Here I am."
    assert len(lab.notices(events, "recovery")) == 1


def test_after_two_blank_answers_words_are_asked_for(lab: Any) -> None:
    lab.returns("look")
    lab.model.says(" \n").says().says("Here I am.")
    assert lab.finished(lab.run("hi")).content == "Here I am."
    third = lab.model.requests[-1]
    assert third.tool_choice == "none" and "in words" in note_of(third)


def test_after_three_blank_answers_the_turn_ends_in_words(lab: Any) -> None:
    lab.model.says().says().says()
    events = lab.run("hi")
    end = lab.finished(events)
    assert end.stop_reason is StopReason.EMPTY and end.content == lab.shown(events) != ""
    assert lab.model.left == 0 and len(lab.model.requests) == 3


def test_the_notes_of_recovery_are_not_kept(lab: Any) -> None:
    lab.model.says().says().says("Here I am.").says("Fine.")
    lab.run("hi", "how are you?")
    sent = lab.model.requests[-1].messages
    assert [text_of(m.parts) for m in sent if isinstance(m, UserMessage)] == ["hi", "how are you?"]
    assert [m.text for m in sent if isinstance(m, AssistantMessage)] == ["Here I am."]


def test_tool_work_makes_blank_answers_count_anew(lab: Any, lab_module: Any) -> None:
    lab.returns("look")
    lab.model.says().calls(lab_module.call("look")).says().calls(lab_module.call("look", '{"a":1}'))
    lab.model.says("done")
    assert lab.finished(lab.run("hi")).content == "done"
    assert all(request.tool_choice == "auto" for request in lab.model.requests)


@pytest.mark.parametrize("reason", [FinishReason.REFUSAL, FinishReason.CONTENT_FILTER])
def test_a_refusal_is_not_asked_for_again(lab: Any, reason: FinishReason) -> None:
    lab.model.says(finish=reason)
    end = lab.finished(lab.run("hi"))
    assert end.stop_reason is StopReason.EMPTY and "refused" in end.content


def test_a_refusal_in_words_is_the_answer(lab: Any) -> None:
    lab.model.says("I would rather not.", finish=FinishReason.REFUSAL)
    end = lab.finished(lab.run("hi"))
    assert (end.content, end.stop_reason) == ("I would rather not.", StopReason.COMPLETED)


# --- answers that were cut off -----------------------------------------------------------------


def test_a_cut_answer_goes_on_and_is_joined_once(lab: Any) -> None:
    lab.model.says("Once upon ", finish=LENGTH).says("a time", finish=LENGTH).says(" ... the end.")
    events = lab.run("tell")
    whole = "Once upon a time ... the end."
    assert lab.finished(events).content == lab.shown(events) == whole
    assert [e.resuming for e in lab.of(events, StreamEnd)] == [True, True, False]
    assert "Once upon " in note_of(lab.model.requests[1])
    assert "'a time'" in note_of(lab.model.requests[2])
    lab.model.says("ok")
    lab.run("thanks")
    answers = [m for m in lab.model.requests[-1].messages if isinstance(m, AssistantMessage)]
    assert [answer.text for answer in answers] == [whole]


def test_an_answer_is_continued_three_times_at_most(lab: Any, lab_module: Any) -> None:
    def step(request: Any) -> Any:
        return lab_module.answer(str(len(lab.model.requests)), finish=LENGTH)(request)

    lab.model.always(step)
    events = lab.run("tell")
    end = lab.finished(events)
    assert end.content == "1234" and end.stop_reason is StopReason.COMPLETED
    assert [e.resuming for e in lab.of(events, StreamEnd)] == [True, True, True, False]


def test_a_cut_tool_call_does_not_run(lab: Any, lab_module: Any) -> None:
    tool = lab.returns("write")
    cut = lab_module.call("write", '{"content": "half of i')
    lab.model.says("Writing.", calls=[cut], finish=LENGTH)
    lab.model.calls(lab_module.call("write"), text="Smaller.").says("Done.")
    events = lab.run("write")
    assert len(tool.requests) == 1 and "smaller pieces" in note_of(lab.model.requests[1])
    assert lab.finished(events).content == "Done."
    (step, *_) = [m for m in lab.model.requests[-1].messages if isinstance(m, AssistantMessage)]
    assert step.text == "Writing.Smaller." and len(step.tool_uses) == 1


# --- calls without a name ----------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "Let me look."])
def test_nameless_calls_are_asked_for_again(lab: Any, lab_module: Any, text: str) -> None:
    tool = lab.returns("look")
    lab.model.calls(lab_module.call(""), text=text).calls(lab_module.call("look")).says("Done.")
    events = lab.run("go")
    assert len(tool.requests) == 1 and not lab.of(events, ToolFinished)[0].result.is_error
    assert "had no name" in note_of(lab.model.requests[1])
    assert lab.finished(events).content == "Done."
    said = [m.text for m in lab.model.requests[-1].messages if isinstance(m, AssistantMessage)]
    assert said == ([text] if text else []) + [""], "each answer stays a message of its own"


def test_after_two_nameless_answers_words_are_asked_for(lab: Any, lab_module: Any) -> None:
    for _ in range(2):
        lab.model.calls(lab_module.call(""))
    lab.model.says("In words, then.")
    assert lab.finished(lab.run("go")).content == "In words, then."
    assert [r.tool_choice for r in lab.model.requests] == ["auto", "auto", "none"]


def test_nameless_calls_without_end_come_to_an_end(lab: Any, lab_module: Any) -> None:
    lab.model.always(lab_module.answer(calls=[lab_module.call("")]))
    end = lab.finished(lab.run("go"))
    assert end.stop_reason is StopReason.EMPTY and len(lab.model.requests) == 3


def test_named_calls_run_though_others_have_no_name(lab: Any, lab_module: Any) -> None:
    tool = lab.returns("look")
    lab.model.calls(lab_module.call(""), lab_module.call("look")).says("ok")
    assert lab.finished(lab.run("go")).content == "ok" and len(tool.requests) == 1


def test_calls_are_not_run_when_words_were_asked_for(lab: Any, lab_module: Any) -> None:
    tool = lab.returns("look")
    lab.model.says().says().calls(lab_module.call("look"), text="Calling anyway.")
    end = lab.finished(lab.run("go"))
    assert end.content == "Calling anyway." and not tool.requests


# --- context overflow --------------------------------------------------------------------------


def _size(request: Any) -> int:
    return sum(len(text_of(m.parts)) for m in request.messages if isinstance(m, UserMessage))


def test_a_conversation_that_is_too_long_is_shortened_and_asked_again(lab: Any) -> None:
    lab.presets["small"] = (lab.choice(window=20_000, max_tokens=1000),)
    long = "word " * 4000
    lab.model.says("one").says("two")
    lab.model.fails(ContextOverflow("The prompt is too long."), times=2).says("three")

    async def go() -> list[Any]:
        async with lab.agent() as agent:
            for text in (long, long, "and now?"):
                events = await lab.ask(agent, text, preset="small")
            return events

    events = run(go())
    assert lab.finished(events).content == "three"
    assert len(lab.notices(events, "compaction")) == 2
    sizes = [_size(request) for request in lab.model.requests[2:]]
    assert sizes[0] > sizes[-1] and sizes == sorted(sizes, reverse=True)
    last = lab.model.requests[-1].messages
    assert isinstance(last[0], UserMessage) and text_of(last[-1].parts) == "and now?"


def test_an_overflow_that_stays_is_an_error_in_the_end(lab: Any) -> None:
    lab.model.fails(ContextOverflow("The prompt is too long."), times=4)
    events = lab.run("hi")
    end = lab.finished(events)
    assert end.stop_reason is StopReason.ERROR and "too long" in end.error
    assert len(lab.model.requests) == 4 and len(lab.notices(events, "compaction")) == 3


def test_an_overflow_after_shown_text_keeps_the_text(lab: Any) -> None:
    lab.model.fails(ContextOverflow("The prompt is too long."), "So ", "far")
    events = lab.run("hi")
    assert lab.finished(events).content == "So far" and lab.finished(events).error
    lab.model.says("ok")
    lab.run("go on")
    assert lab.model.requests[-1].messages[1].text == "So far"


def test_the_session_works_after_a_failed_turn(lab: Any) -> None:
    lab.model.fails(RateLimitError("slow down", retry_after=3600)).says("Here again.")
    assert lab.finished(lab.run("one")).stop_reason is StopReason.ERROR
    assert lab.finished(lab.run("two")).content == "Here again."
    user, gap, again = lab.model.requests[-1].messages
    assert text_of(user.parts) == "one" and "[No answer" in gap.text
    assert text_of(again.parts) == "two"
