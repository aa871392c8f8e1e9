"""Hooks into a run of the SDK: in order, apart from each other, free to rewrite the end."""

from __future__ import annotations

from typing import Any

import pytest
from nanobot.agent import AgentHook, AgentHookContext
from nanobot.errors import AuthError
from nanobot.messages import FinishReason, StopReason, UserMessage, text_of


class Recorder(AgentHook):
    """Writes down what it is told."""

    def __init__(self, name: str, log: list[Any], *, streaming: bool = True) -> None:
        super().__init__()
        self.name = name
        self.log = log
        self.streaming = streaming

    def wants_streaming(self) -> bool:
        return self.streaming

    async def before_iteration(self, context: AgentHookContext) -> None:
        assert isinstance(context.messages[0], UserMessage)
        self.log.append((self.name, "before", context.iteration, len(context.messages)))

    async def on_stream(self, context: AgentHookContext, delta: str) -> None:
        self.log.append((self.name, "stream", delta))

    async def on_stream_end(self, context: AgentHookContext, *, resuming: bool) -> None:
        self.log.append((self.name, "stream_end", resuming))

    async def before_execute_tools(self, context: AgentHookContext) -> None:
        calls = [(call.name, dict(call.arguments)) for call in context.tool_calls]
        self.log.append((self.name, "tools", calls))

    async def after_iteration(self, context: AgentHookContext) -> None:
        results = [result.text for result in context.tool_results]
        self.log.append((self.name, "after", results, context.usage.calls))

    def finalize_content(self, context: AgentHookContext, content: str | None) -> str | None:
        self.log.append((self.name, "final", context.stop_reason, context.error))
        return f"{content}<{self.name}"


def _script(lab: Any, lab_module: Any) -> None:
    lab.returns("look", "seen")
    lab.model.calls(lab_module.call("look", '{"n": 1}'), text="Looking.").says("Do", "ne.")


def test_hooks_are_called_in_order(lab: Any, lab_module: Any) -> None:
    log: list[Any] = []
    _script(lab, lab_module)
    lab.run("hi", hooks=[Recorder("a", log)])
    assert log == [
        ("a", "before", 0, 1),
        ("a", "stream", "Looking."),
        ("a", "stream_end", True),
        ("a", "tools", [("look", {"n": 1})]),
        ("a", "after", ["seen"], 1),
        ("a", "before", 1, 2),
        ("a", "stream", "Do"),
        ("a", "stream", "ne."),
        ("a", "stream_end", False),
        ("a", "after", [], 2),
        ("a", "final", "completed", ""),
    ]


def test_several_hooks_take_turns(lab: Any, lab_module: Any) -> None:
    log: list[Any] = []
    _script(lab, lab_module)
    events = lab.run("hi", hooks=[Recorder("a", log), Recorder("b", log, streaming=False)])
    assert lab.finished(events).content == "Done.<a<b"
    assert lab.shown(events) == "Looking.Done."
    names = [entry[0] for entry in log if entry[1] == "before"]
    assert names == ["a", "b", "a", "b"]
    assert not [entry for entry in log if entry[0] == "b" and entry[1].startswith("stream")]


def test_an_iteration_that_is_asked_again_is_one_too(lab: Any) -> None:
    log: list[Any] = []
    lab.model.says().says("cut ", finish=FinishReason.LENGTH).says("off")
    lab.run("hi", hooks=[Recorder("a", log)])
    assert [entry[2] for entry in log if entry[1] == "before"] == [0, 1, 2]
    assert len([entry for entry in log if entry[1] == "after"]) == 3


METHODS = [
    "wants_streaming",
    "before_iteration",
    "on_stream",
    "on_stream_end",
    "before_execute_tools",
    "after_iteration",
    "finalize_content",
]


def _bad(method: str, asynchronous: bool, reraise: bool) -> AgentHook:
    """Return a hook of which one method raises."""

    def explode(*args: Any, **named: Any) -> Any:
        raise ValueError(f"bug in {method}")

    async def explode_later(*args: Any, **named: Any) -> Any:
        raise ValueError(f"bug in {method}")

    class Bad(AgentHook):
        def wants_streaming(self) -> bool:
            return True

    setattr(Bad, method, explode_later if asynchronous else explode)
    return Bad(reraise=reraise)


@pytest.mark.parametrize("method", METHODS)
def test_a_hook_that_fails_harms_nobody(
    lab: Any, lab_module: Any, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    """A method that should be async and is not is no worse than one that raises."""
    log: list[Any] = []
    _script(lab, lab_module)
    events = lab.run("hi", hooks=[_bad(method, False, False), Recorder("a", log)])
    assert lab.finished(events).content == "Done.<a" and lab.finished(events).error == ""
    assert len(log) == 11
    logged = capsys.readouterr().err
    assert "hook_failed" in logged and f"bug in {method}" in logged


ASYNC = [method for method in METHODS if method not in ("wants_streaming", "finalize_content")]


@pytest.mark.parametrize("method", [*ASYNC, "finalize_content"])
def test_a_hook_may_end_the_run(lab: Any, lab_module: Any, method: str) -> None:
    _script(lab, lab_module)
    hook = _bad(method, method in ASYNC, True)
    end = lab.finished(lab.run("hi", hooks=[hook]))
    assert end.stop_reason is StopReason.ERROR and f"bug in {method}" in end.error
    lab.model.forget().says("Back.")
    assert lab.finished(lab.run("again")).content == "Back."


def test_a_hook_that_can_not_even_say_what_it_wants_may_refuse_the_run(lab: Any) -> None:
    with pytest.raises(ValueError, match="bug in wants_streaming"):
        lab.run("hi", hooks=[_bad("wants_streaming", False, True)])
    lab.model.says("ok")
    lab.run("hello")
    assert len(lab.model.requests[0].messages) == 1, "nothing of the refused message was stored"


def test_a_hook_is_told_how_a_failed_run_ended(lab: Any) -> None:
    log: list[Any] = []
    lab.model.fails(AuthError("the key is wrong"), "So")
    events = lab.run("hi", hooks=[Recorder("a", log)])
    assert log[-1] == ("a", "final", "error", "the key is wrong")
    assert lab.finished(events).content == "So<a"


def test_content_may_be_taken_away(lab: Any) -> None:
    class Silent(AgentHook):
        def finalize_content(self, context: AgentHookContext, content: str | None) -> None:
            return None

    lab.model.says("Hello.").says("ok")
    assert lab.finished(lab.run("hi", hooks=[Silent()])).content == ""
    lab.run("again")
    assert lab.model.requests[-1].messages[1].text == "Hello.", "the transcript keeps what was said"


def test_the_messages_a_hook_sees_are_those_that_are_sent(lab: Any) -> None:
    seen: list[Any] = []

    class Looks(AgentHook):
        async def before_iteration(self, context: AgentHookContext) -> None:
            seen.append(context.messages)

    lab.model.says("ok")
    lab.run("hello there", hooks=[Looks()])
    assert seen == [lab.model.requests[0].messages]
    assert text_of(seen[0][0].parts) == "hello there"
