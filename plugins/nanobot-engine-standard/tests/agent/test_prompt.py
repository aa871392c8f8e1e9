"""The prompt: byte-stable where it can be, so that vendors' prompt caches hit."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from nanobot.engine import Limits
from nanobot.errors import ContextOverflow
from nanobot.messages import AssistantMessage, Image, ReasoningBlock, Text, UserMessage
from nanobot_testing import run


def test_the_prompt_is_stable_over_fifty_turns(lab: Any, lab_module: Any) -> None:
    """Same system prompt and tools; each request begins with all of the one before."""
    (lab.instance.workspace / "SOUL.md").write_text("Be kind.")
    lab.prompt("extra", lambda turn: "Always the same.")
    lab.prompt("clock", lambda turn: f"now {turn.now:%S}", placement="turn")
    lab.returns("look", "seen")

    def step(request: Any) -> Any:
        last = request.messages[-1]
        lab.clock.advance(61)
        if isinstance(last, UserMessage) and len(lab.model.requests) % 3 == 0:
            return lab_module.answer("Looking.", calls=[lab_module.call("look")])(request)
        return lab_module.answer(f"Answer {len(lab.model.requests)}.")(request)

    lab.model.always(step)

    async def go() -> None:
        async with lab.agent() as agent:
            for number in range(50):
                await lab.ask(agent, f"question {number}")

    run(go())
    requests = lab.model.requests
    assert len(requests) > 60
    assert {request.system for request in requests} == {requests[0].system}
    assert all(request.tools == requests[0].tools for request in requests)
    assert {request.cache_key for request in requests} == {requests[0].cache_key}
    assert requests[0].cache_key and "direct" not in requests[0].cache_key, "no name goes out"
    assert [segment.name for segment in requests[0].system] == ["identity", "soul", "extra"]
    for before, after in itertools.pairwise(requests):
        old, new = before.messages, after.messages
        assert new[: len(old)] == old and len(new) > len(old)


def test_a_new_process_sends_the_same_bytes(lab: Any, lab_module: Any) -> None:
    """What is replayed from the transcript equals what was sent when it happened."""
    block = ReasoningBlock(text="Hm.", dialect="chat", opaque={"signature": "c2ln"})
    call = lab_module.ToolCall(
        id="c1", name="look", arguments='{"n":  1}', opaque={"thought": "dA=="}
    )
    lab.returns("look", "seen: ünïcödé")
    lab.model.calls(call, text="Looking.", keep=[block]).says("Done.").says("Yes.").says("Bye.")
    picture = Image(data=b"\x89PNG", media_type="image/png", name="cat")
    lab.run([Text(text="what is this?"), picture])
    lab.clock.advance(3600)
    lab.run("sure?")
    lab.clock.advance(3600)
    lab.run("bye")
    first, second, third, fourth = (request.messages for request in lab.model.requests)
    assert second[: len(first)] == first and third[: len(second)] == second
    assert fourth[: len(third)] == third
    assert fourth[0].parts[1] == picture
    assert fourth[1].reasoning == (block,) and fourth[1].tool_uses[0].call == call


def test_what_changes_goes_to_the_end_of_the_users_message(lab: Any) -> None:
    lab.prompt("mood", lambda turn: f"mood {turn.query}", placement="turn", order=5)
    lab.model.says("ok").says("ok")
    lab.run("one")
    lab.clock.advance(3600)
    lab.run("two")
    one, _, two = lab.model.requests[-1].messages
    assert one.context == "[It is Friday, 2026-01-02 03:04 (UTC).]\nmood one", "stored as it was"
    assert two.context == "[It is Friday, 2026-01-02 04:04 (UTC).]\nmood two"


def test_sections_stand_in_their_order(lab: Any) -> None:
    for name, order in (("c", 5), ("b", 100), ("a", 100), ("z", -1)):
        lab.prompt(name, lambda turn, name=name: f"I am {name}", order=order)
    lab.prompt("empty", lambda turn: " \n")
    lab.model.says("ok")
    lab.run("hi")
    segments = lab.model.requests[0].system
    assert [segment.name for segment in segments] == ["z", "identity", "c", "a", "b"]
    assert segments[0].text == "I am z"


@pytest.mark.parametrize(
    "wrong", [ValueError("no file"), SystemExit(1), asyncio.CancelledError(), None]
)
def test_a_section_that_fails_is_left_out(lab: Any, wrong: Any) -> None:
    def bad(turn: Any) -> Any:
        if wrong:
            raise wrong
        return None

    lab.prompt("bad", bad)
    lab.prompt("good", lambda turn: "good")
    lab.model.says("ok")
    assert lab.finished(lab.run("hi")).content == "ok"
    assert [segment.name for segment in lab.model.requests[0].system] == ["identity", "good"]


def test_a_section_that_hangs_is_left_out(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nanobot_engine_standard.prompts.RENDER_DEADLINE_S", 0.01)

    class Hangs:
        async def render(self, turn: Any) -> str:
            await asyncio.Event().wait()
            return ""

    lab.prompt("slow", lambda turn: "")
    lab.offer("prompts", lab.offers["prompts"]["slow"], Hangs())
    lab.model.says("ok")
    assert lab.finished(lab.run("hi")).content == "ok"


def test_sessions_have_cache_keys_of_their_own(lab: Any) -> None:
    lab.model.says("a").says("b").says("c")
    for session in ("one", "two", "one"):
        lab.run("hi", session=session)
    one, two, again = (request.cache_key for request in lab.model.requests)
    assert one == again != two


# --- the window --------------------------------------------------------------------------------


def test_old_turns_are_left_out_whole_and_seldom(lab: Any, lab_module: Any) -> None:
    """The beginning of the prompt moves a few times in forty turns, not at each."""
    lab.presets["small"] = (lab.choice(window=16_000, max_tokens=1000),)
    lab.model.always(lab_module.answer("ok"))

    async def go() -> None:
        async with lab.agent() as agent:
            for number in range(40):
                await lab.ask(agent, f"{number} " + "word " * 500, preset="small")

    run(go())
    requests = lab.model.requests
    starts = [request.messages[0] for request in requests]
    moves = sum(a != b for a, b in itertools.pairwise(starts))
    assert 2 <= moves <= 10
    for request in requests:
        assert isinstance(request.messages[0], UserMessage)
        roles = [type(message) for message in request.messages]
        assert all(a != b for a, b in itertools.pairwise(roles))
    assert len(requests[-1].messages) > 5, "as much as fits is sent"


def test_the_running_turn_is_always_sent(lab: Any, lab_module: Any) -> None:
    """Even if it is too long: its old tool results are shortened."""
    lab.limits = Limits(max_tool_result_chars=10**6)
    counter = iter(range(100))

    async def look(request: Any, turn: Any) -> str:
        return f"result {next(counter)} " + "x" * 20_000

    lab.tool("look", look)
    for _ in range(5):
        lab.model.calls(lab_module.call("look"))
    lab.model.says("done").says("ok")
    small = (lab.choice(window=20_000, max_tokens=1000),)
    lab.presets["small"] = small
    assert lab.finished(lab.run("go", preset="small")).content == "done"
    sent = lab.model.requests[5].messages
    assert [type(message) for message in sent] == [UserMessage] + [AssistantMessage] * 5
    texts = [message.tool_uses[0].result.text for message in sent[1:]]
    assert [text.split()[1] for text in texts] == ["0", "1", "2", "3", "4"]
    assert "Shortened" in texts[0] and len(texts[0]) < 1000
    assert texts[-1].endswith("xxx") and len(texts[-1]) > 20_000
    transcript = lab.transcript().read_text()
    assert transcript.count("x" * 20_000) == 5, "nothing is lost in the transcript"


def test_a_message_that_is_too_long_is_cut_in_the_middle(lab: Any) -> None:
    lab.presets["small"] = (lab.choice(window=8000, max_tokens=1000),)
    lab.model.says("ok")
    lab.run("START " + "word " * 20_000 + " END", preset="small")
    (message,) = lab.model.requests[0].messages
    (part,) = message.parts
    assert part.text.startswith("START") and part.text.endswith("END")
    assert "characters left out" in part.text and len(part.text) < 40_000


def test_what_was_too_long_once_is_not_sent_again(lab: Any, lab_module: Any) -> None:
    """The model takes less than its window says: later turns know it, until `/new`."""
    lab.presets["small"] = (lab.choice(window=16_000, max_tokens=1000),)
    lab.model.always(lab_module.answer("ok"))
    for number in range(12):
        lab.run(f"{number} " + "word " * 500, preset="small")
    lab.model.fails(ContextOverflow("too long"))
    assert lab.notices(lab.run("and now?", preset="small"), "compaction")
    shortened = len(lab.model.requests[-1].messages)
    assert shortened < len(lab.model.requests[-2].messages)
    lab.run("next", preset="small")
    assert len(lab.model.requests[-1].messages) <= shortened + 2
    lab.run("/new")
    for number in range(12):
        lab.run(f"{number} " + "word " * 500, preset="small")
    assert len(lab.model.requests[-1].messages) > shortened + 2


def test_however_often_it_is_too_long_something_is_sent(lab: Any, lab_module: Any) -> None:
    lab.model.always(lab_module.answer("ok"))
    for _ in range(5):
        for _ in range(3):
            lab.model.fails(ContextOverflow("too long"))
        lab.run("hi")
    assert lab.finished(lab.run("hi")).content == "ok"
    assert len(lab.model.requests[-1].messages) == 11
