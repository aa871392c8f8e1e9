"""How a turn looks in a chat: as it happens, by edits, or whole at the end."""

from __future__ import annotations

from typing import Any

import pytest
from nanobot.events import ReasoningDelta, TextDelta, ToolStarted, TurnFinished
from nanobot_gateway.delivery import hint
from nanobot_testing.lab import call


def deltas(bench: Any, kind: Any = TextDelta) -> str:
    events = (event for update in bench.phone.updates for event in update.events)
    return "".join(event.text for event in events if isinstance(event, kind))


def test_a_channel_with_events_is_shown_everything(bench: Any) -> None:
    bench.capabilities = {"events"}
    bench.model.says("Hel", "lo", ".")

    async def work(gateway: Any) -> None:
        await bench.phone.says("hi", id="m-1")
        await bench.phone.hears(1)
        (sent,) = bench.phone.sent
        assert sent.text == "Hello." and sent.shown and sent.answers == "m-1"
        assert deltas(bench) == "Hello."
        kinds = [type(e) for u in bench.phone.updates for e in u.events]
        assert kinds[-1] is TurnFinished and kinds.count(TurnFinished) == 1
        assert {u.answers for u in bench.phone.updates} == {"m-1"}

    bench.run(work)


def test_small_pieces_go_together(bench: Any) -> None:
    """A long answer costs what its bytes cost, not what its pieces cost."""
    bench.capabilities = {"events"}
    bench.model.says(*["word "] * 20_000)

    async def work(gateway: Any) -> None:
        await bench.phone.says("hi")
        await bench.phone.hears(1)
        assert deltas(bench) == "word " * 20_000
        assert len(bench.phone.updates) < 2_000

    bench.run(work)


def test_what_is_not_wanted_is_not_shown(bench: Any) -> None:
    bench.capabilities = {"events"}
    bench.section.update(showReasoning=False, sendToolHints=False, streaming=False)
    bench.model.calls(call("nothing_like_it")).says("Done.")

    async def work(gateway: Any) -> None:
        await bench.phone.says("hi")
        await bench.phone.hears(1)
        kinds = {type(e) for u in bench.phone.updates for e in u.events}
        assert not kinds & {TextDelta, ReasoningDelta, ToolStarted}
        assert bench.phone.sent[0].text == "Done." and not bench.phone.sent[0].shown

    bench.run(work)


def test_a_channel_with_edits_shows_the_answer_as_it_grows(bench: Any) -> None:
    bench.capabilities = {"edits"}
    bench.model.hangs("Half of ")

    async def work(gateway: Any) -> None:
        await bench.phone.says("hi")
        await bench.phone.hears(1)
        assert bench.phone.sent[0].partial and bench.phone.sent[0].text == "Half of "
        await gateway.sessions.stop("phone:u1")

    bench.run(work)


def test_the_last_edit_makes_it_whole(bench: Any) -> None:
    bench.capabilities = {"edits"}
    bench.model.says("All ", "of ", "it.")

    async def work(gateway: Any) -> None:
        await bench.phone.says("hi")
        await gateway.sessions.drained()
        await gateway.outbox.drained()
        last = bench.phone.edited[-1][1] if bench.phone.edited else bench.phone.sent[-1]
        assert last.text == "All of it." and not last.partial
        assert len([m for m in bench.phone.sent if not m.partial]) <= 1
        row = await gateway.store.delivery(last.id)
        assert row is not None and row.state == "sent"

    bench.run(work)


@pytest.mark.parametrize("progress", [True, False])
def test_what_is_said_between_tools(bench: Any, progress: bool) -> None:
    bench.section.update(sendProgress=progress, sendToolHints=False)
    bench.model.calls(call("no_such_tool"), text="Let me look.").says("Found it.")

    async def work(gateway: Any) -> None:
        await bench.phone.says("hi")
        await gateway.sessions.drained()
        await gateway.outbox.drained()
        texts = [message.text for message in bench.phone.sent]
        assert texts == (["Let me look."] if progress else []) + ["Found it."]

    bench.run(work)


def test_a_long_answer_is_split(bench: Any) -> None:
    bench.spec = {"max_length": 100}
    bench.model.says("sentence. " * 30)

    async def work(gateway: Any) -> None:
        await bench.phone.says("hi")
        await gateway.sessions.drained()
        await gateway.outbox.drained()
        texts = [message.text for message in bench.phone.sent]
        assert len(texts) > 2 and all(len(text) <= 100 for text in texts)
        assert " ".join(texts).split() == ["sentence."] * 30
        assert len({message.id for message in bench.phone.sent}) == len(texts)

    bench.run(work)


def test_a_failed_turn_says_why(bench: Any) -> None:
    from nanobot.errors import AuthError

    bench.model.fails(AuthError("the key is wrong", remedy="Set another one."))

    async def work(gateway: Any) -> None:
        await bench.phone.says("hi")
        (text,) = await bench.phone.hears(1)
        assert text.startswith("⚠") and "the key is wrong" in text

    bench.run(work)


def test_typing_while_it_works(bench: Any) -> None:
    bench.capabilities = {"typing"}
    bench.model.says("Hi.")

    async def work(gateway: Any) -> None:
        await bench.phone.says("hi")
        await bench.phone.hears(1)

    bench.run(work)
    assert bench.typed == 1


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ({"path": "notes.txt"}, "read_file('notes.txt')"),
        ({}, "read_file"),
        ({"n": 3}, "read_file"),
        ({"path": "x" * 100}, f"read_file('{'x' * 19}…')"),
        ({"path": "two\n lines"}, "read_file('two lines')"),
    ],
)
def test_hints(arguments: Any, shown: str) -> None:
    assert hint(ToolStarted(call=call("read_file"), arguments=arguments), 20) == shown
