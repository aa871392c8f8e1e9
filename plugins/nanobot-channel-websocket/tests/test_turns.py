"""What clients see of a turn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from nanobot.events import (
    Notice,
    ReasoningDelta,
    StreamEnd,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    TurnStarted,
)
from nanobot.messages import (
    BilledTokens,
    ContextTokens,
    StopReason,
    ToolCall,
    ToolResult,
    Usage,
)

STARTED = TurnStarted(turn_id="internal", session_key="websocket:c1")
CALLS = [
    ToolCall(id="call_0", name="list_dir", arguments='{"path": "."}'),
    ToolCall(id="call_1", name="exec", arguments='{"command": "false"}'),
]
USAGE = Usage(
    billed=BilledTokens(input=100, output=20, cached=60), context=ContextTokens(90), calls=2
)
TURN = [
    STARTED,
    ReasoningDelta(text="Hm"),
    ReasoningDelta(text="m."),
    TextDelta(text="Let me"),
    TextDelta(text=" look."),
    StreamEnd(resuming=True),
    *(ToolStarted(call=call, arguments={"path": "."}) for call in CALLS),
    ToolFinished(call=CALLS[0], result=ToolResult.ok("a.txt"), seconds=0.1),
    ToolFinished(call=CALLS[1], result=ToolResult.error("failed", "exit status 1"), seconds=0.1),
    TextDelta(text="Done"),
    TextDelta(text="."),
    StreamEnd(resuming=False),
    TurnFinished(
        content="Done.", stop_reason=StopReason.COMPLETED, usage=USAGE, model="deep-1"
    ),
]  # fmt: skip
END = TurnFinished(content="Done.", stop_reason=StopReason.COMPLETED)


async def asked(lab: Any, **more: Any) -> Any:
    """Return a client whose message was accepted."""
    client = await lab.connect()
    frame = {"type": "message", "chat_id": "c1", "content": "hi", "turn_id": "t1", **more}
    await client.ask(frame)
    return client


def test_a_turn_in_its_order(go: Any) -> None:
    async def work(lab: Any) -> None:
        client = await asked(lab, webui=True)
        for event in TURN[:6]:
            lab.show("c1", "t1", event)
        lab.show("c1", "t1", *TURN[6:])
        told = []
        while not told or told[-1].get("status") != "idle":
            told.append(await client.next())
        names = [
            "goal_status", "reasoning_delta", "reasoning_delta", "reasoning_end", "delta", "delta",
            "stream_end", "message", "message", "delta", "delta", "stream_end",
            "turn_model_updated", "turn_end", "session_updated", "goal_status",
        ]  # fmt: skip
        assert [event["event"] for event in told] == names
        by_name = dict(zip(names, told, strict=True))
        assert told[0]["status"] == "running" and told[0]["turn_id"] == "t1"
        texts = [event["text"] for event in told if event["event"] == "delta"]
        assert texts == ["Let me", " look.", "Done", "."]
        streams = [e["stream_id"] for e in told if e["event"] in ("delta", "stream_end")]
        assert len(set(streams)) == 2 and streams[:3] == streams[:1] * 3
        assert told[6]["resuming"] is True and "resuming" not in by_name["stream_end"]
        hint, progress = told[7], told[8]
        assert (hint["kind"], progress["kind"]) == ("tool_hint", "progress")
        assert hint["text"] == "list_dir ., exec ." and progress["text"] == ""
        assert hint["tool_events"][0] == {
            "version": 1, "phase": "start", "call_id": "call_0", "name": "list_dir",
            "arguments": {"path": "."}, "result": None, "error": None, "files": [], "embeds": [],
        }  # fmt: skip
        ended = [(e["phase"], e["result"], e["error"]) for e in progress["tool_events"]]
        assert ended == [("end", "a.txt", None), ("error", None, "exit status 1")]
        assert by_name["turn_model_updated"]["model_name"] == "deep-1"
        assert by_name["turn_end"]["latency_ms"] >= 0
        assert by_name["turn_end"]["usage"] == {
            "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
            "context_tokens": 90, "request_count": 2, "provider_tokens": 120, "cached_tokens": 60,
        }  # fmt: skip
        assert by_name["session_updated"] == {
            "event": "session_updated", "chat_id": "c1", "scope": "thread",
        }  # fmt: skip
        marked = [event for event in told if "turn_seq" in event]
        assert [event["turn_seq"] for event in marked] == list(range(2, 2 + len(marked)))
        assert {event["turn_phase"] for event in marked} == {
            "reasoning", "answer", "activity", "complete",
        }  # fmt: skip
        numbered = [event["seq"] for event in told if event["event"] != "session_updated"]
        assert numbered == list(range(numbered[0], numbered[0] + len(numbered)))
        assert all(event["chat_id"] == "c1" for event in told)

    go(work)


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        ("deep-1", "deep-1", ["deep-1"]),
        ("deep-1", "spare-2", ["deep-1", "spare-2"]),
        ("deep-1", "", ["deep-1"]),
        ("", "deep-1", ["deep-1"]),
        ("", "", []),
    ],
)
def test_the_model_is_told_as_soon_as_it_is_known(
    go: Any, first: str, last: str, told: list[str]
) -> None:
    """Once, and at the end again only when another one had to answer."""

    async def work(lab: Any) -> None:
        client = await asked(lab, webui=True)
        lab.show("c1", "t1", replace(STARTED, model=first), TextDelta(text="Done."))
        lab.show("c1", "t1", StreamEnd(resuming=False), replace(END, model=last))
        events = await client.until("turn_end")
        models = [e for e in events if e["event"] == "turn_model_updated"]
        assert [e["model_name"] for e in models] == told
        assert all(e["turn_id"] == "t1" for e in models)
        names = [e["event"] for e in events]
        assert names[:2] == ["goal_status", "turn_model_updated" if first else "delta"]

    go(work)


def test_a_turn_that_is_not_the_web_uis_carries_no_marks(go: Any) -> None:
    async def work(lab: Any) -> None:
        client = await asked(lab)
        lab.show("c1", "t1", *TURN)
        told = await client.until("turn_end")
        assert all(
            {"turn_id", "turn_phase", "turn_seq"}.isdisjoint(event)
            for event in told
            if event["event"] != "message_accepted"
        )

    go(work)


def test_everybody_is_told_that_a_session_changed(go: Any) -> None:
    async def work(lab: Any) -> None:
        stranger = await lab.connect("token=a-token-for-tests&events=all")
        plain = await lab.connect()
        lab.show("c1", "t1", STARTED, END)
        assert [event["event"] for event in await stranger.settle()] == ["session_updated"]
        assert await plain.settle() == []

    go(work)


# --- clients that read nothing but text -----------------------------------------------------------


def test_a_minimal_client(go: Any) -> None:
    """It reads `ready`, sends its text, and prints the text of each frame that it reads."""

    async def work(lab: Any) -> None:
        client = await lab.connect()
        await client.send({"content": "hello"})
        (message,) = await lab.host.until(1)
        for event in TURN[:6]:
            lab.show(client.chat, message.id, event)
        lab.show(client.chat, message.id, *TURN[6:])
        told = [await client.next() for _ in range(6)]
        assert [event["text"] for event in told] == [
            "Let me", " look.", "\n\n", "Done", ".", "\n",
        ]  # fmt: skip
        assert [event["event"] for event in told] == ["delta"] * 5 + ["turn_end"]
        assert "".join(event["text"] for event in told).strip() == "Let me look.\n\nDone."
        assert await client.settle() == [], "nothing else was sent"

    go(work)


def test_a_minimal_client_without_streaming_reads_one_frame(go: Any) -> None:
    async def work(lab: Any) -> None:
        client = await lab.connect()
        await client.send("hello")
        (message,) = await lab.host.until(1)
        lab.show(client.chat, message.id, *TURN)
        await lab.send(client.chat, "Done.", answers=message.id)  # as the gateway does
        told = await client.next()
        assert (told["event"], told["text"]) == ("message", "Done.")
        assert await client.settle() == []

    go(work, streaming=False)


def test_a_minimal_client_is_told_in_words_what_went_wrong(go: Any) -> None:
    async def work(lab: Any) -> None:
        client = await lab.connect()
        await client.send("hello")
        (message,) = await lab.host.until(1)
        failed = TurnFinished(content="", stop_reason=StopReason.ERROR, error="no key is set")
        lab.show(client.chat, message.id, STARTED, failed)
        await lab.send(client.chat, "⚠ no key is set", answers=message.id)
        assert [(await client.next())["text"] for _ in range(2)] == ["⚠ no key is set", "\n"]
        assert await client.settle() == [], "it is said once"

    go(work)


def test_a_client_may_ask_for_everything_at_once(go: Any) -> None:
    async def work(lab: Any) -> None:
        client = await lab.connect("token=a-token-for-tests&events=all")
        await client.send({"content": "hello"})
        (message,) = await lab.host.until(1)
        lab.show(client.chat, message.id, STARTED, TextDelta(text="Hi"), END)
        told = [event["event"] for event in await client.until("turn_end")]
        assert told == ["goal_status", "delta", "stream_end", "turn_end"]

    go(work)


# --- ends -----------------------------------------------------------------------------------------


def test_what_was_shown_is_not_sent_again(go: Any) -> None:
    async def work(lab: Any) -> None:
        client = await asked(lab)
        lab.show("c1", "t1", *TURN)
        sent = await lab.send("c1", "Done.", answers="t1", shown=True)
        assert sent == "out-1"
        await lab.send("c1", "By the way", id="out-2")
        await lab.send("c1", "By the way", id="out-2")
        told = [event for event in await client.settle() if event["event"] == "message"]
        assert [e["text"] for e in told if "kind" not in e] == ["By the way"]
        assert told[-1]["message_id"] == "out-2"

    go(work)


def test_an_answer_that_was_not_streamed_is_a_message(go: Any) -> None:
    async def work(lab: Any) -> None:
        client = await asked(lab)
        lab.show("c1", "t1", STARTED, END)
        told = await client.until("turn_end")
        assert [event["event"] for event in told] == ["goal_status", "message", "turn_end"]
        assert told[1]["text"] == "Done."

    go(work)


def test_a_failure_after_some_text(go: Any) -> None:
    async def work(lab: Any) -> None:
        client = await asked(lab)
        failed = TurnFinished(
            content="I thi", stop_reason=StopReason.ERROR, error="the stream broke"
        )
        lab.show("c1", "t1", STARTED, TextDelta(text="I thi"), failed)
        await lab.send("c1", "I thi\n\n⚠ the stream broke", answers="t1")
        told = await client.until("turn_end")
        assert [event["event"] for event in told] == [
            "goal_status", "delta", "stream_end", "message", "turn_end",
        ]  # fmt: skip
        assert told[3]["text"] == "⚠ the stream broke"
        assert (told[4]["stop_reason"], told[4]["error"]) == ("error", "the stream broke")
        assert [event["event"] for event in await client.settle()] == [
            "session_updated", "goal_status",
        ]  # fmt: skip

    go(work)


def test_a_turn_that_was_stopped_ends(go: Any) -> None:
    async def work(lab: Any) -> None:
        client = await asked(lab)
        stopped = TurnFinished(content="", stop_reason=StopReason.CANCELLED)
        lab.show("c1", "t1", STARTED, ReasoningDelta(text="hm"), stopped)
        told = [event["event"] for event in await client.until("turn_end")]
        assert told == ["goal_status", "reasoning_delta", "reasoning_end", "turn_end"]
        lab.show("c1", "t1", Notice(kind="warning", text="too late"))
        rest = [event["event"] for event in await client.settle()]
        assert rest == ["session_updated", "goal_status"], "what comes after the end is dropped"

    go(work)


def test_notices_are_progress(go: Any) -> None:
    async def work(lab: Any) -> None:
        client = await asked(lab)
        lab.show("c1", "t1", STARTED, Notice(kind="fallback", text="deep-1 answers now"))
        told = (await client.until("message"))[-1]
        assert (told["kind"], told["text"]) == ("progress", "deep-1 answers now")
        assert told["notice"] == "fallback"

    go(work)


def test_a_turn_that_nobody_asked_for(go: Any) -> None:
    async def work(lab: Any) -> None:
        client = await lab.connect()
        await client.attach("c1")
        lab.show("c1", "", STARTED, TextDelta(text="Good morning"), END)
        told = await client.until("turn_end")
        assert [event["event"] for event in told] == [
            "goal_status", "delta", "stream_end", "turn_end",
        ]  # fmt: skip
        assert "turn_id" not in told[0]

    go(work)


def test_long_values_of_tools_are_cut(go: Any) -> None:
    async def work(lab: Any) -> None:
        client = await asked(lab)
        call = ToolCall(id="c", name="write_file", arguments='{"content": "' + "x" * 90_000 + '"}')
        lab.show("c1", "t1", STARTED, ToolStarted(call=call))
        hint = (await client.until("message"))[-1]
        assert len(hint["text"]) <= 160
        assert len(hint["tool_events"][0]["arguments"]["content"]) < 5_000
        done = ToolFinished(call=call, result=ToolResult.ok("y" * 90_000), seconds=1)
        lab.show("c1", "t1", done)
        assert len((await client.next())["tool_events"][0]["result"]) == 16_000

    go(work)


def test_half_a_surrogate_pair_breaks_nothing(go: Any) -> None:
    async def work(lab: Any) -> None:
        client = await asked(lab)
        lab.show("c1", "t1", STARTED, TextDelta(text="a\ud83d"), TextDelta(text='"\n\0b'), END)
        texts = [e["text"] for e in await client.until("turn_end") if e["event"] == "delta"]
        assert texts == ["a?", '"\n\0b']

    go(work)
