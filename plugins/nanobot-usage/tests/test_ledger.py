"""The ledger in a turn: each call is recorded, with whose it was and what its prompt held."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import RateLimitError
from nanobot.messages import (
    AssistantMessage,
    BilledTokens,
    ContextTokens,
    Image,
    Origin,
    Role,
    Text,
    ToolCall,
    ToolResult,
    ToolUse,
    Usage,
    UserMessage,
)
from nanobot.provider import ModelRequest, Segment
from nanobot.specs import ToolDefinition
from nanobot_testing import run
from nanobot_testing.lab import call
from nanobot_usage.config import UsageConfig
from nanobot_usage.journal import Call, Entry
from nanobot_usage.segments import Sizer

Read = Callable[..., list[Entry]]
BIG = Usage(
    billed=BilledTokens(input=1000, output=50, cached=600, cache_write=100, reasoning=20),
    context=ContextTokens(1050),
    calls=1,
)


def test_each_call_is_recorded(lab: Any, folder: Path, read: Read) -> None:
    lab.prompt("identity", lambda turn: "You are nanobot. " * 10)
    lab.returns("look", "a long result " * 20)
    lab.model.calls(call("look"), usage=BIG).says("Done.", usage=BIG, model="gpt-4o-2024-11-20")
    finished = lab.finished(lab.run("Look!", session="cli:one", origin=Origin.SCHEDULE))
    first, second = read(folder)
    assert isinstance(first, Call) and isinstance(second, Call)
    assert first.turn == second.turn == finished.turn_id[:12]
    assert (first.session, first.user, first.origin) == ("cli:one", "cli:alice", "schedule")
    assert (first.model, second.model) == ("m-1", "gpt-4o-2024-11-20")
    assert first.billed == BIG.billed and first.context == 1050
    assert first.cost is None
    # 300 plain and 100 written at 2.5, 600 cached at 1.25, 50 out at 10 dollars a million
    assert second.cost and second.cost.input == 1_750_000 and second.cost.output == 500_000
    assert set(second.segments) >= {"system.identity", "tools", "history", "results", "message"}
    assert first.segments["results"] == 0 < second.segments["results"]
    assert sum(first.segments.values()) == sum(second.segments.values()) == 1000


def test_prices_of_the_user_go_first(lab: Any, folder: Path, read: Read) -> None:
    prices = {"m-*": {"input": 2, "output": 4, "cachedRead": 0, "cacheWrite": 8}}
    lab.sections["middleware.usage"] = UsageConfig.model_validate({"prices": prices})
    lab.model.says("Hi.", usage=BIG)
    lab.run("Hello")
    (found,) = read(folder)
    assert isinstance(found, Call) and found.cost
    assert found.cost.input == (300 * 2 + 600 * 0 + 100 * 8) * 1000
    assert found.cost.output == 50 * 4 * 1000


def test_a_failed_call_costs_nothing_and_a_broken_one_is_estimated(
    lab: Any, folder: Path, read: Read
) -> None:
    lab.model.fails(RateLimitError("slow down")).fails(ValueError("broken"), "four", "teen ch.")
    lab.run("Hello")
    (found,) = read(folder)
    assert isinstance(found, Call)
    assert found.estimated and found.billed.output == 3
    assert found.billed.input == sum(found.segments.values()) > 0


def test_a_stopped_call_is_estimated_too(lab: Any, folder: Path, read: Read) -> None:
    lab.model.hangs("some words")

    async def go() -> None:
        async with lab.agent() as agent, aclosing(agent.handle(lab.inbound("Hello"))) as events:
            async for event in events:
                if getattr(event, "text", "") == "some words":
                    break

    run(go())
    (found,) = read(folder)
    assert isinstance(found, Call) and found.estimated


def test_a_ledger_that_can_not_be_written_stops_no_turn(
    lab: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_text("in the way")
    lab.model.says("Hi.")
    assert lab.finished(lab.run("Hello")).content == "Hi."
    assert "call_not_recorded" in capsys.readouterr().err


def test_a_damaged_price_table_is_left_out(
    lab: Any, folder: Path, read: Read, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.mkdir(parents=True)
    (folder / "prices.json").write_text("{")
    lab.model.says("Hi.", model="gpt-4o")
    lab.run("Hello")
    (found,) = read(folder)
    assert isinstance(found, Call) and found.cost
    assert "prices_left_out" in capsys.readouterr().err


def test_window_and_bill_stay_apart(lab: Any, folder: Path) -> None:
    lab.model.says("Hi.", usage=BIG).says("Hi.", usage=BIG)
    lab.run("Hello", "Again")
    reply = lab.finished(lab.run("/usage")).content
    assert "2 calls, 2,000 tokens in (1,200 cached), 100 out, unknown" in reply
    assert "The window of this session holds 1,050 tokens." in reply


def test_others_see_only_their_own(lab: Any) -> None:
    lab.model.says("Hi.", usage=BIG).says("Hi.", usage=BIG)
    lab.run("Hello", session="cli:one")

    async def ask(text: str, user: str, role: Role) -> str:
        inbound = lab.inbound(text, session="cli:two", role=role)
        inbound = replace(inbound, principal=replace(inbound.principal, user=user))
        async with lab.agent() as agent:
            events = [event async for event in agent.handle(inbound)]
        return str(lab.finished(events).content)

    run(ask("Hello", "bob", Role.USER))
    own = run(ask("/usage", "bob", Role.USER))
    assert "You, January: 1 call, 1,000 tokens" in own
    assert "Everybody, January: 2 calls, 2,000 tokens" in run(ask("/usage", "al", Role.OWNER))
    assert "cli:alice" not in run(ask("/usage user", "bob", Role.USER))
    assert "cli:alice" in run(ask("/usage user", "al", Role.OWNER))


# --- segments ------------------------------------------------------------------------------------


def request(*messages: Any, key: str = "k", tools: tuple[ToolDefinition, ...] = ()) -> ModelRequest:
    system = (Segment(name="identity", text="x" * 100), Segment(name="memory", text="y" * 50))
    return ModelRequest(model="m", system=system, messages=messages, tools=tools, cache_key=key)


def said(text: str, context: str = "") -> UserMessage:
    return UserMessage(parts=(Text(text=text),), context=context)


def did(text: str, result: str) -> AssistantMessage:
    use = ToolUse(call=ToolCall(id="1", name="ls", arguments="{}"), result=ToolResult.ok(result))
    return AssistantMessage(text=text, tool_uses=(use,))


def test_the_pieces_of_a_prompt() -> None:
    tool = ToolDefinition(name="ls", description="List.", parameters={"type": "object"})
    asked = request(said("first"), did("working", "r" * 30), said("second", "now"), tools=(tool,))
    assert Sizer().characters(asked) == {
        "system.identity": 100,
        "system.memory": 50,
        "tools": 2 + 5 + len(json.dumps({"type": "object"})),
        "history": len("first") + len("working") + len("ls{}"),
        "results": 30,
        "message": len("second") + len("now"),
    }


def test_pictures_count_as_some_tokens() -> None:
    picture = UserMessage(parts=(Image(data=b"x" * 10**6, media_type="image/png"),))
    assert 0 < Sizer().characters(request(picture))["message"] < 10**5


def test_what_was_measured_is_measured_once_and_right() -> None:
    """A conversation that grows, is cut and is rewritten at its end has the sizes of a new one."""
    sizer = Sizer()
    messages: list[Any] = [said("hello")]
    for number in range(20):
        messages += [did("a" * number, "r" * number), said("q" * number)]
        shown = messages if number % 5 else messages[2:]
        asked = request(*shown[:-1], said("another end"), key="one")
        assert sizer.characters(asked) == Sizer().characters(asked)
        asked = request(*shown, key="one")
        assert sizer.characters(asked) == Sizer().characters(asked)
        assert sizer.characters(asked) == Sizer().characters(asked)
