"""A process that is killed at any instant, a disk that is full, two processes on one session."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from nanobot.context import SystemClock
from nanobot.errors import StorageError
from nanobot.events import ToolFinished, TurnFinished, TurnStarted
from nanobot.messages import StopReason, UserMessage, text_of

WRITES = 7  # header, user, answer with two calls, two results, answer, end


def _script(lab: Any, lab_module: Any) -> None:
    lab.returns("write", "written")
    calls = [lab_module.call("write", id=f"c{n}") for n in range(2)]
    lab.model.forget().calls(*calls, text="Writing.").says("All is written.")


def _in_a_child(work: Callable[[], None]) -> int:
    """Run some work in a child process; return its exit status, or the signal that ended it."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(99)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _dies_at(number: int, share: float, told: int) -> Callable[[int, bytes], int]:
    """Return a write that kills the process at its n-th call, when a share of it is on the disk."""
    real, count = os.write, 0

    def write(descriptor: int, data: bytes) -> int:
        nonlocal count
        if descriptor == told:
            return real(descriptor, data)
        count += 1
        if count == number:
            part = data[: int(len(data) * share)]
            if part:
                real(descriptor, part)
            os.kill(os.getpid(), signal.SIGKILL)
        return real(descriptor, data)

    return write


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0], ids=["before", "midst", "after"])
@pytest.mark.parametrize("number", range(1, WRITES + 1))
def test_a_process_killed_at_any_write(
    lab: Any, lab_module: Any, monkeypatch: pytest.MonkeyPatch, number: int, share: float
) -> None:
    """What the client was told is still there, and the next turn works."""
    _script(lab, lab_module)
    reading, telling = os.pipe()

    def work() -> None:
        monkeypatch.setattr("os.write", _dies_at(number, share, telling))

        async def go() -> None:
            async with lab.agent() as agent:
                async for event in agent.handle(lab.inbound("write it")):
                    os.write(telling, f"{type(event).__name__}\n".encode())

        lab_module.run(go())

    assert _in_a_child(work) == -signal.SIGKILL
    os.close(telling)
    with os.fdopen(reading) as pipe:
        told = pipe.read().split()

    lab.model.forget().says("Here again.")
    events = lab.run("and now?")
    assert lab.finished(events).content == "Here again."
    messages = lab.model.requests[-1].messages
    lab.check(messages)
    said = [text_of(message.parts) for message in messages if isinstance(message, UserMessage)]
    uses = [use for m in messages if not isinstance(m, UserMessage) for use in m.tool_uses]
    if TurnStarted.__name__ in told:
        assert said == ["write it", "and now?"]
    assert said[-1] == "and now?" and set(said) <= {"write it", "and now?"}
    good = [use for use in uses if not use.result.is_error]
    assert len(good) >= told.count(ToolFinished.__name__), "what the client saw is kept"
    assert {use.result.kind for use in uses} <= {"", "interrupted"}
    ended = number == WRITES and share == 1.0
    assert bool(lab.notices(events, "recovery")) == ("write it" in said and not ended)
    records = [json.loads(line) for line in _lines(lab)]
    assert [r["stop_reason"] for r in records if r["type"] == "end"] == (
        [] if "write it" not in said else ["completed" if ended else "interrupted"]
    ) + ["completed"]
    assert lab.run("/history")[1].text.count("**user**") == len(said)


def _lines(lab: Any) -> list[bytes]:
    """Return the lines of the transcript that are whole."""
    lines = []
    for line in lab.transcript().read_bytes().splitlines():
        try:
            json.loads(line)
        except ValueError:
            continue
        lines.append(line)
    return lines


def test_the_number_of_writes(lab: Any, lab_module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the test above covers all of them."""
    sizes: list[int] = []
    real = os.write
    monkeypatch.setattr("os.write", lambda fd, data: (sizes.append(fd), real(fd, data))[1])
    _script(lab, lab_module)
    lab.run("write it")
    assert len(sizes) == WRITES


def test_what_is_accepted_survives_a_power_cut(
    lab: Any, lab_module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is on the disk before anybody is told, and so is the end of the turn."""
    log: list[str] = []
    write, sync = os.write, os.fsync
    monkeypatch.setattr("os.write", lambda fd, data: (log.append("write"), write(fd, data))[1])
    monkeypatch.setattr("os.fsync", lambda fd: (log.append("sync"), sync(fd))[1])
    lab.model.says("Hello.").says("Again.")

    async def go() -> None:
        async with lab.agent() as agent:
            for _ in range(2):
                async for event in agent.handle(lab.inbound("hi")):
                    log.append(type(event).__name__)

    lab_module.run(go())
    first, second = " ".join(log).split(" TurnFinished")[:2]
    assert first.split() == [
        *("write", "write", "sync", "sync"),  # header and message; the file and its name
        *("TurnStarted", "TextDelta", "write", "StreamEnd", "write", "sync"),
    ]
    assert second.split()[:3] == ["write", "sync", "TurnStarted"]


def test_a_tool_is_not_run_again_after_a_crash(
    lab: Any, lab_module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _script(lab, lab_module)

    def work() -> None:
        monkeypatch.setattr("os.write", _dies_at(4, 0.0, -1))
        lab.run("write it")

    assert _in_a_child(work) == -signal.SIGKILL
    lab.model.forget().says("ok")
    tool = lab.returns("write", "written")
    lab.run("go on")
    assert not tool.requests
    uses = lab.model.requests[-1].messages[1].tool_uses
    assert [use.result.kind for use in uses] == ["interrupted", "interrupted"]
    assert "unknown" in uses[0].result.text


def test_damage_is_told_once(lab: Any) -> None:
    lab.model.says("one").says("two").says("three")
    lab.run("hi")
    with lab.transcript().open("ab") as file:
        file.write(b"\x00\x00garbage\nmore")
    assert lab.notices(lab.run("again"), "warning") == [
        "2 damaged lines of this session's transcript were passed over."
    ]
    assert lab.notices(lab.run("and again"), "warning") == []
    assert len(lab.model.requests[-1].messages) == 5


# --- a disk that refuses -----------------------------------------------------------------------


def _full_from(number: int, share: float) -> Callable[[int, bytes], int]:
    real, count = os.write, 0

    def write(descriptor: int, data: bytes) -> int:
        nonlocal count
        count += 1
        if count < number:
            return real(descriptor, data)
        if not share:
            raise OSError(28, "No space left on device")
        return real(descriptor, data[: int(len(data) * share)])

    return write


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("number", range(1, WRITES + 1))
def test_a_disk_that_is_full_from_any_write_on(
    lab: Any, lab_module: Any, monkeypatch: pytest.MonkeyPatch, number: int, share: float
) -> None:
    """A message is refused, or its turn ends in words; nothing that was stored is harmed."""
    lab.model.says("Hello.")
    lab.run("hi")
    before = lab.transcript().read_bytes()
    _script(lab, lab_module)
    with monkeypatch.context() as patch:
        patch.setattr("os.write", _full_from(number, share))
        if number == 1:
            with pytest.raises(StorageError, match="free space"):
                lab.run("write it")
        elif number <= WRITES - 1:
            end = lab.finished(lab.run("write it"))
            assert end.stop_reason is StopReason.ERROR and "can not be written" in end.error
            assert "free space" in end.error
        else:
            assert lab.finished(lab.run("write it")).error == ""
    assert lab.transcript().read_bytes().startswith(before)
    lab.model.forget().says("Here again.")
    assert lab.finished(lab.run("and now?")).content == "Here again."
    messages = lab.model.requests[-1].messages
    lab.check(messages)
    assert text_of(messages[0].parts) == "hi" and messages[1].text == "Hello."


def test_a_newer_transcript_is_left_as_it_is(lab: Any) -> None:
    lab.model.says("Hello.")
    lab.run("hi")
    path = lab.transcript()
    path.write_bytes(path.read_bytes().replace(b'"v": 1', b'"v": 2', 1))
    before = path.read_bytes()
    with pytest.raises(StorageError, match="pip install --upgrade"):
        lab.run("again")
    assert path.read_bytes() == before
    lab.model.says("Elsewhere.")
    assert lab.finished(lab.run("again", session="other")).content == "Elsewhere."


# --- two processes -----------------------------------------------------------------------------


def test_two_processes_on_one_session_lose_nothing(lab: Any, lab_module: Any) -> None:
    lab.clock = SystemClock()
    lab.model.always(lab_module.answer("ok"))
    lab.returns("look")
    children = []
    for name in "ab":
        child = os.fork()
        if child == 0:
            try:
                lab.run(*(f"{name}{number}" for number in range(10)))
                os._exit(0)
            finally:
                os._exit(99)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    events = lab.run("last")
    assert not lab.notices(events, "warning") and not lab.notices(events, "recovery")
    messages = lab.model.requests[-1].messages
    lab.check(messages)
    said = [text_of(message.parts) for message in messages if isinstance(message, UserMessage)]
    assert sorted(said[:-1]) == sorted(f"{name}{n}" for name in "ab" for n in range(10))
    for name in "ab":
        own = [text for text in said if text.startswith(name)]
        assert own == [f"{name}{n}" for n in range(10)], "each in its order"


def test_the_last_event_is_the_end(lab: Any, lab_module: Any) -> None:
    _script(lab, lab_module)
    events = lab.run("write it")
    assert isinstance(events[-1], TurnFinished) and len(lab.of(events, ToolFinished)) == 2
