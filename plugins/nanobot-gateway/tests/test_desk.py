"""What tools may ask of a gateway: messages, questions, and work for subagents."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from nanobot.desk import Note, Question, Task
from nanobot.messages import Effects, Target, ToolResult, Trust, UserMessage, text_of
from nanobot.profile import Profile
from nanobot.specs import ToolDefinition
from nanobot_gateway.channel import Verdict
from nanobot_testing.lab import answer, call

PROBE = ToolDefinition(
    name="probe",
    description="Do it.",
    parameters={"type": "object", "properties": {}},
    effects=Effects(idempotent=True),
)


class Tool:
    """A tool that asks the desk for something."""

    context: Any

    def __init__(self, work: Any) -> None:
        self._work = work
        self.called = asyncio.Event()

    async def call(self, request: Any, turn: Any) -> ToolResult:
        self.called.set()
        return ToolResult.ok(str(await self._work(self.context.desk, turn)))


@pytest.fixture
def quiet(bench: Any) -> Any:
    bench.section["sendToolHints"] = False
    return bench


def results(bench: Any) -> list[str]:
    """Return the texts of all tool results that the model has read."""
    return [
        use.result.text
        for message in bench.model.requests[-1].messages
        for use in getattr(message, "tool_uses", ())
    ]


def test_a_message_to_the_chat_takes_the_place_of_the_answer(quiet: Any) -> None:
    async def work(desk: Any, turn: Any) -> str:
        note = Note(id=f"{turn.id}:1", turn=turn, target=turn.target, text="By the way.")
        return f"{await desk.send(note)} {await desk.send(note)}"

    quiet.tool({"tools": (PROBE,)}, Tool(work))
    quiet.model.calls(call("probe")).says("I told you.").says("Now I answer.")

    async def go(gateway: Any) -> None:
        await quiet.phone.says("hi")
        await gateway.sessions.drained()
        await quiet.phone.says("again")
        assert await quiet.phone.hears(2) == ["By the way.", "Now I answer."]

    quiet.run(go)


def test_a_message_to_another_chat_leaves_the_answer_alone(quiet: Any) -> None:
    async def work(desk: Any, turn: Any) -> str:
        there = Target(channel="phone", chat="u7")
        return str(await desk.send(Note(id="n1", turn=turn, target=there, text="Psst.")))

    quiet.tool({"tools": (PROBE,)}, Tool(work))
    quiet.model.calls(call("probe")).says("Done.")

    async def go(gateway: Any) -> None:
        await quiet.phone.says("hi")
        await quiet.phone.hears(2)
        assert {(m.target.chat, m.text) for m in quiet.phone.sent} == {
            ("u7", "Psst."),
            ("u1", "Done."),
        }
        assert results(quiet) == ["sent"]

    quiet.run(go)


def test_a_channel_that_is_not_there_is_said(quiet: Any) -> None:
    async def work(desk: Any, turn: Any) -> str:
        there = Target(channel="pigeon", chat="u7")
        return str(await desk.send(Note(id="n1", turn=turn, target=there, text="Psst.")))

    quiet.tool({"tools": (PROBE,)}, Tool(work))
    quiet.model.calls(call("probe")).says("Done.")

    async def go(gateway: Any) -> None:
        await quiet.phone.says("hi")
        await quiet.phone.hears(1)

    quiet.run(go)
    assert results(quiet) == ["No channel 'pigeon' is connected."]


def asking(*choices: str) -> Tool:
    async def work(desk: Any, turn: Any) -> str:
        question = Question(id="q1", turn=turn, text="Which one?", choices=choices)
        return str(await desk.ask(question))

    return Tool(work)


@pytest.mark.parametrize(
    ("said", "heard"), [("2", "blue"), ("RED", "red"), ("neither", "neither"), ("3", "3")]
)
def test_the_next_words_of_who_was_asked_are_the_answer(quiet: Any, said: str, heard: str) -> None:
    quiet.tool({"tools": (PROBE,)}, asking("red", "blue"))
    quiet.model.calls(call("probe")).says("Thanks.")

    async def go(gateway: Any) -> None:
        await quiet.phone.says("hi", chat="c", direct=False, mentioned=True)
        await quiet.phone.hears(1)
        assert quiet.phone.sent[0].buttons == (("red",), ("blue",))
        other = await quiet.phone.says("1", user="u2", chat="c", direct=False, mentioned=True)
        assert other.verdict is Verdict.JOINED, "somebody else waits for the turn"
        await quiet.phone.says(said, chat="c", direct=False, mentioned=True)
        assert (await quiet.phone.hears(2))[1] == "Thanks."
        assert not await gateway.store.items("questions")
        assert not await gateway.store.items("answers")

    quiet.model.always(quiet.model._steps[-1])
    quiet.run(go)
    read = [
        use.result.text
        for message in quiet.model.requests[1].messages
        for use in getattr(message, "tool_uses", ())
    ]
    assert read == [heard]


@pytest.mark.parametrize("while_down", [False, True])
def test_a_question_and_its_answer_outlive_the_process(quiet: Any, while_down: bool) -> None:
    quiet.tool({"tools": (PROBE,)}, asking("red", "blue"))
    quiet.model.calls(call("probe"))

    async def ask(gateway: Any) -> None:
        await quiet.phone.says("hi")
        await quiet.phone.hears(1)
        await gateway.drain(0)
        if while_down:  # the answer was stored, and the process ended before the turn had it
            await gateway.store.put("answers", "q1", b"blue")
            await gateway.store.put("questions", "q1", None)

    async def go_on(gateway: Any) -> None:
        if not while_down:
            await quiet.phone.says("2")
        heard = await quiet.phone.hears(2)
        assert heard == ["The turn was interrupted; it goes on now.", "Thanks."]

    quiet.run(ask)
    quiet.model.says("Thanks.")
    quiet.run(go_on)
    assert results(quiet) == ["blue"]


def test_stopping_the_turn_withdraws_its_question(quiet: Any) -> None:
    quiet.tool({"tools": (PROBE,)}, asking("red", "blue"))
    quiet.model.calls(call("probe")).says("Hello again.")

    async def go(gateway: Any) -> None:
        await quiet.phone.says("hi")
        await quiet.phone.hears(1)
        await quiet.phone.says("/stop")
        await quiet.phone.hears(2)
        assert (await quiet.phone.says("red")).verdict is Verdict.TURN
        assert (await quiet.phone.hears(3))[2] == "Hello again."

    quiet.run(go)


def spawning(*names: str) -> Tool:
    async def work(desk: Any, turn: Any) -> str:
        for name in names:
            task = Task(
                id=f"{turn.id}:{name}", turn=turn, text=f"do {name}", profile=desk.profiles()[""]
            )
            await desk.delegate(task, wait=False)
        return "started"

    return Tool(work)


def by_words(bench: Any, **answers: Any) -> None:
    """Let the model answer by a word of what it is told last; sessions run side by side."""

    async def step(request: Any) -> Any:
        told = text_of(request.messages[-1].parts) if spoken(request) else "result"
        chosen = next(made for word, made in answers.items() if word in told)
        async for event in chosen(request):
            yield event

    bench.model.always(step)


def spoken(request: Any) -> bool:
    return isinstance(request.messages[-1], UserMessage)


def test_a_subagent_works_beside_and_its_result_comes_to_the_session(quiet: Any) -> None:
    quiet.tool({"tools": (PROBE,)}, spawning("a"))
    by_words(
        quiet,
        hi=answer(calls=[call("probe")]),
        Result=answer("It is done: a."),
        result=answer("I am on it."),
        do=answer("the answer of a"),
    )

    async def go(gateway: Any) -> None:
        await quiet.phone.says("hi")
        await quiet.phone.until(lambda: any(m.text == "It is done: a." for m in quiet.phone.sent))
        await gateway.sessions.drained()
        assert not await gateway.store.unfinished()

    quiet.run(go)
    told = next(
        m.parts
        for r in quiet.model.requests
        for m in r.messages
        if isinstance(m, UserMessage) and "Result" in text_of(m.parts)
    )
    assert "do a" in told[0].text and told[1].text.endswith("\nResult:\nthe answer of a")
    assert told[1].trust is Trust.UNTRUSTED


def test_only_so_many_work_at_a_time_and_the_others_wait(quiet: Any) -> None:
    quiet.tool({"tools": (PROBE,)}, spawning("a", "b", "c"))
    at_work: list[int] = []

    async def go(gateway: Any) -> None:
        async def work(request: Any) -> Any:
            actors = gateway.sessions._actors
            at_work.append(sum(key.startswith("subagent:") for key in actors))
            for _ in range(20):
                await asyncio.sleep(0)
            async for event in answer("done")(request):
                yield event

        by_words(
            quiet,
            hi=answer(calls=[call("probe")]),
            Result=answer("noted"),
            result=answer("on it"),
            do=work,
        )
        await quiet.phone.says("hi")
        await quiet.phone.hears(1)
        while await gateway.store.unfinished():
            await gateway.sessions.drained()

    quiet.run(go)
    assert at_work == [1, 1, 1]


def test_a_subagent_that_was_interrupted_goes_on_with_its_profile(quiet: Any) -> None:
    async def work(desk: Any, turn: Any) -> str:
        clerk = Profile(name="clerk", instructions="You are the clerk.", tools=("!probe",))
        await desk.delegate(Task(id="t1", turn=turn, text="count", profile=clerk), wait=False)
        return "started"

    quiet.tool({"tools": (PROBE,)}, Tool(work))
    began = asyncio.Event()

    async def hang(request: Any) -> Any:
        began.set()
        await asyncio.Event().wait()
        yield

    usual = {
        "hi": answer(calls=[call("probe")]),
        "Result": answer("It counted."),
        "result": answer("I am on it."),
    }
    by_words(quiet, **usual, count=hang)

    async def begin(gateway: Any) -> None:
        await quiet.phone.says("hi")
        await began.wait()
        await quiet.phone.hears(1)
        await gateway.drain(0)

    async def go_on(gateway: Any) -> None:
        await quiet.phone.until(lambda: any(m.text == "It counted." for m in quiet.phone.sent))

    quiet.run(begin)
    by_words(quiet, **usual, count=answer("7"))
    quiet.run(go_on)
    clerk = [r for r in quiet.model.requests if r.system[-1].text == "You are the clerk."]
    assert len(clerk) == 2 and not clerk[1].tools


def test_stop_ends_the_subagents_of_a_session_and_those_that_wait(quiet: Any) -> None:
    quiet.tool({"tools": (PROBE,)}, spawning("a", "b"))
    began = asyncio.Event()

    async def hang(request: Any) -> Any:
        began.set()
        await asyncio.Event().wait()
        yield

    by_words(quiet, hi=answer(calls=[call("probe")]), result=answer("I am on it."), do=hang)

    async def go(gateway: Any) -> None:
        await quiet.phone.says("hi")
        await began.wait()
        await quiet.phone.hears(1)
        await quiet.phone.says("/stop")
        assert (await quiet.phone.hears(2))[1] == "Stopped 1 task(s)."
        await gateway.sessions.drained()
        assert not await gateway.store.unfinished()

    quiet.run(go)


def test_waiting_for_a_subagent_gives_its_answer(quiet: Any) -> None:
    async def work(desk: Any, turn: Any) -> str:
        task = Task(id=f"{turn.id}:w", turn=turn, text="count", profile=desk.profiles()[""])
        return str(await desk.delegate(task, wait=True))

    quiet.tool({"tools": (PROBE,)}, Tool(work))
    quiet.model.calls(call("probe")).says("seven").says("It is seven.")

    async def go(gateway: Any) -> None:
        await quiet.phone.says("hi")
        assert await quiet.phone.hears(1) == ["It is seven."]

    quiet.run(go)
    assert results(quiet) == ["seven"]


def test_sessions_are_those_of_the_principal(quiet: Any) -> None:
    async def work(desk: Any, turn: Any) -> str:
        mine = [info.key for info in await desk.sessions(turn.scope)]
        said = [entry.text for entry in await desk.recall(turn.scope, "phone:u1")]
        return f"{mine} {said}"

    quiet.tool({"tools": (PROBE,)}, Tool(work))
    quiet.model.says("Hello.").calls(call("probe")).says("Done.").calls(call("probe")).says("Done.")

    async def go(gateway: Any) -> None:
        await quiet.phone.says("my secret")
        await quiet.phone.hears(1)
        await quiet.phone.says("look", user="u2")
        await quiet.phone.hears(2)
        assert results(quiet) == ["There is no session 'phone:u1' of yours."]
        await quiet.phone.says("look", user="u1")
        await quiet.phone.hears(3)

    quiet.run(go)
    assert results(quiet)[-1].startswith("['phone:u1'] ['my secret', 'Hello.', 'look'")
