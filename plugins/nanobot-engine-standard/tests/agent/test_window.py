"""Cutting a conversation to what fits: whole turns first, then old results, then texts."""

from __future__ import annotations

from typing import Any

import pytest
from nanobot.messages import (
    AssistantMessage,
    Image,
    Message,
    StopReason,
    Text,
    ToolCall,
    ToolResult,
    Trust,
    UserMessage,
    text_of,
)
from nanobot_engine_standard import tokens, window
from nanobot_engine_standard.history import History
from nanobot_engine_standard.turns import Step, TurnRecord


def turn(
    name: str, *results: str, text: str = "", answer: str = "", done: bool = True
) -> TurnRecord:
    """Return a turn with a tool call for each result."""
    steps: list[Step | UserMessage] = []
    for number, result in enumerate(results):
        call = ToolCall(id=f"c{number}", name="look", arguments="{}")
        found = ToolResult.ok(result, trust=Trust.UNTRUSTED)
        steps.append(Step(text="", calls=(call,), results={call.id: found}))
    if answer:
        steps.append(Step(text=answer))
    user = UserMessage(parts=(Text(text=text or name),), context="It is noon.")
    made = TurnRecord(id=name, user=user, steps=steps)
    made.stop_reason = str(StopReason.COMPLETED) if done else ""
    return made


def fit(turns: list[TurnRecord], budget: int) -> list[Message]:
    """Return what is sent of some turns, of which the last one runs."""
    *past, running = turns
    history = History()
    for one in past:
        history.past.add(*one.messages())
    history.open = running
    return window.fit(history, budget)[0]


def size(messages: Any) -> int:
    return sum(map(tokens.of_message, messages))


def test_what_fits_is_sent_as_it_is() -> None:
    turns = [turn("one", "x" * 5000, answer="a"), turn("two", done=False)]
    assert fit(turns, 10_000) == [m for one in turns for m in one.messages()[0]]


def test_old_turns_go_whole() -> None:
    turns = [turn(str(n), answer="word " * 200, done=n < 19) for n in range(20)]
    messages = fit(turns, 2000)
    assert size(messages) <= 2000
    assert isinstance(messages[0], UserMessage) and messages == fit(turns, 2000)
    kept = [text_of(m.parts) for m in messages if isinstance(m, UserMessage)]
    assert kept == [str(n) for n in range(20)][-len(kept) :]


def test_of_a_long_turn_the_oldest_results_are_shortened_first() -> None:
    long = [f"{n} " + "x" * 8000 for n in range(4)]
    messages = fit([turn("go", "short", *long, done=False)], 5000)
    assert size(messages) <= 5000
    texts = [m.tool_uses[0].result.text for m in messages if isinstance(m, AssistantMessage)]
    assert texts[0].endswith("\nshort"), "a short one is left alone"
    assert [text.endswith("xxx") for text in texts[1:]] == [False, False, True, True]
    assert "\n0 xxx" in texts[1] and "8058 characters in all" in texts[1]
    cut = messages[2]
    assert isinstance(cut, AssistantMessage)
    assert cut.tool_uses[0].result.parts[0].trust is Trust.UNTRUSTED, "the mark stays"
    assert messages[0] == turn("go").user, "what the user said is left alone"


def test_then_texts_are_cut_in_the_middle() -> None:
    text = "START" + "x" * 40_000 + "END"
    messages = fit([turn("go", "short", text=text, answer="y" * 20_000, done=False)], 2500)
    user, _, answer = messages
    assert isinstance(user, UserMessage) and isinstance(answer, AssistantMessage)
    shown = text_of(user.parts)
    assert shown.startswith("START") and shown.endswith("END") and "left out" in shown
    assert user.context == "It is noon." and size(messages) < 3500


def test_short_texts_are_never_cut() -> None:
    made = turn("go", text="x" * 800, answer="y" * 800, done=False)
    assert fit([made], 10) == made.messages()[0]


def test_the_transcript_is_not_touched() -> None:
    made = turn("go", "x" * 9000, text="y" * 9000, done=False)
    before = made.messages()
    fit([made], 100)
    assert made.messages() == before


@pytest.mark.parametrize("budget", [-100, 0, 1])
def test_there_is_always_something_to_send(budget: int) -> None:
    messages = fit([turn("one", answer="a"), turn("two", "x" * 9000, done=False)], budget)
    assert isinstance(messages[0], UserMessage) and text_of(messages[0].parts) == "two"


# --- counting ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [("", 0, 2), ("word " * 100, 100, 150), ("漢字" * 50, 90, 130), ("\ud800" * 4, 1, 8)],
)
def test_an_estimate_is_near(text: str, least: int, most: int) -> None:
    assert least <= tokens.of_text(text) <= most


def test_pictures_count() -> None:
    picture = Image(data=b"x" * 10**6, media_type="image/png")
    assert tokens.of_parts((picture,)) - tokens.of_text("[image: image/png]") == 1200


def test_everything_a_call_carries_counts() -> None:
    call = ToolCall(id="c", name="look", arguments="x" * 4000)
    step = Step(text="", calls=(call,), results={"c": ToolResult.ok("y" * 4000)})
    assert 2000 <= tokens.of_message(step.message()) <= 2100
