"""Whatever happened to a transcript, its history is a conversation that every vendor accepts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nanobot.errors import SessionVersion
from nanobot.messages import (
    Image,
    ReasoningBlock,
    StopReason,
    Text,
    ToolCall,
    ToolResult,
    Trust,
    Usage,
    UserMessage,
    text_of,
)
from nanobot_engine_standard.conversation import Conversation, first_turn
from nanobot_engine_standard.disk import DiskThreads
from nanobot_engine_standard.history import History
from nanobot_engine_standard.session import Session
from nanobot_engine_standard.transcript import Transcript
from nanobot_engine_standard.window import fit
from nanobot_testing import run

IDS = st.sampled_from(["", "c1", "c2", "c3", "ünï\ud800"])
NAMES = st.sampled_from(["", "look", "write"])
WORDS = st.sampled_from(["", " \n", "hello", "ünï 😀", "half \ud83d", "x" * 3000])
CALLS = st.lists(
    st.builds(ToolCall, id=IDS, name=NAMES, arguments=st.sampled_from(["{}", "{", ""])), max_size=4
)
PARTS = st.lists(
    st.builds(Text, text=WORDS, trust=st.sampled_from(Trust))
    | st.just(Image(data=b"png", media_type="image/png")),
    max_size=3,
).map(tuple)
RESULTS = st.builds(ToolResult, parts=PARTS, kind=st.sampled_from(["", "failed"]))
BLOCKS = st.lists(
    st.builds(ReasoningBlock, text=WORDS, dialect=st.just("chat"), opaque=st.just({"s": "x"})),
    max_size=1,
)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("user"), PARTS, WORDS),
        st.tuples(st.just("follow up"), PARTS),
        st.tuples(st.just("answer"), WORDS, CALLS, BLOCKS, st.booleans()),
        st.tuples(st.just("tool"), IDS, RESULTS),
        st.tuples(st.just("end"), st.sampled_from(StopReason)),
        st.tuples(st.just("other turn"), st.sampled_from(["answer", "tool", "end"])),
        st.tuples(st.just("reset")),
        st.tuples(st.just("preset"), WORDS),
        st.tuples(st.just("unknown")),
        st.tuples(st.just("command"), WORDS),
        st.tuples(st.just("resumed")),
        st.tuples(st.just("crash")),
    ),
    max_size=25,
)
DAMAGE = st.lists(
    st.one_of(
        st.tuples(st.just("cut"), st.integers(0, 4000)),
        st.tuples(st.just("insert"), st.integers(0, 4000), st.binary(max_size=8)),
        st.tuples(st.just("overwrite"), st.integers(0, 4000), st.binary(max_size=8)),
        st.tuples(st.just("zero"), st.integers(0, 4000), st.integers(0, 300)),
        st.tuples(st.just("double"), st.integers(0, 30)),
        st.tuples(st.just("drop"), st.integers(0, 30)),
        st.tuples(st.just("swap"), st.integers(0, 30), st.integers(0, 30)),
    ),
    max_size=3,
)


DISK = DiskThreads()


class Machine:
    """Writes to a session whatever it is told, in any order."""

    def __init__(self, lab: Any, folder: Path) -> None:
        self._lab = lab
        self._folder = folder
        self._turns = 0
        self.open()

    def open(self) -> None:
        self._transcript = Transcript(self._folder, "k").__enter__()
        self.session = Session(self._transcript, lambda: "now", DISK)
        self.session.read()

    def close(self) -> Path:
        self._transcript.__exit__()
        return self._transcript.path

    def do(self, event: tuple[Any, ...]) -> None:
        kind, *rest = event
        getattr(self, f"_{kind.replace(' ', '_')}")(*rest)

    def _user(self, parts: Any, context: str) -> None:
        self._turns += 1
        self.session.begin(f"t{self._turns}", self._lab.inbound(parts), parts, context)

    def _follow_up(self, parts: Any) -> None:
        self.session.join(f"t{self._turns}", self._lab.inbound(parts), parts)

    def _answer(self, text: str, calls: Any, reasoning: Any, continues: bool) -> None:
        self.session.answer(
            f"t{self._turns}",
            text,
            calls=calls,
            reasoning=reasoning,
            usage=Usage(calls=1),
            continues=continues,
        )

    def _tool(self, id: str, result: ToolResult) -> None:
        call = ToolCall(id=id, name="look", arguments="{}")
        self.session.tool(f"t{self._turns}", call, result, 0.1)

    def _end(self, reason: StopReason) -> None:
        self.session.end(f"t{self._turns}", reason)

    def _other_turn(self, kind: str) -> None:
        if kind == "answer":
            self.session.answer("t0", "from elsewhere")
        elif kind == "tool":
            self.session.tool(
                "t0", ToolCall(id="c1", name="look", arguments=""), ToolResult.ok("x"), 0
            )
        else:
            self.session.end("t0", StopReason.COMPLETED)

    def _reset(self) -> None:
        self.session.reset()

    def _preset(self, name: str) -> None:
        self.session.choose_preset(name)

    def _command(self, reply: str) -> None:
        self.session.command("c", self._lab.inbound("/look"), "look")
        self.session.reply("c", reply)

    def _resumed(self) -> None:
        self.session.resume(f"t{self._turns}")

    def _unknown(self) -> None:
        self._transcript.append("from the future", {"turn": f"t{self._turns}", "text": 5})

    def _crash(self) -> None:
        self.close()
        self.open()


def _harm(data: bytes, damage: tuple[Any, ...]) -> bytes:
    kind, at, *rest = damage
    if kind == "cut":
        return data[:at]
    if kind == "insert":
        return data[:at] + rest[0] + data[at:]
    if kind == "overwrite":
        return data[:at] + rest[0] + data[at + len(rest[0]) :]
    if kind == "zero":
        return data[:at] + b"\x00" * len(data[at : at + rest[0]]) + data[at + rest[0] :]
    lines = data.splitlines(keepends=True)
    if at >= len(lines):
        return data
    if kind == "double":
        lines.append(lines[at])
    elif kind == "drop":
        del lines[at]
    else:
        other = rest[0] % len(lines)
        lines[at], lines[other] = lines[other], lines[at]
    return b"".join(lines)


def _messages(history: History) -> list[Any]:
    return history.messages()


def _next_turn(lab: Any, session: Session) -> None:
    """Run the next turn of a session, and check what a model would be sent."""
    session.close_unfinished()
    session.begin("next", lab.inbound("and now?"), (Text(text="and now?"),), "")
    messages = _messages(session.history)
    lab.check(messages)
    assert text_of(messages[-1].parts) == "and now?"
    for budget in (100, 2000, 10**6):
        sent, _ = fit(session.history, budget)
        lab.check(sent)
        assert isinstance(sent[-1], UserMessage)
    for message in messages:
        json.dumps(asdict(message), ensure_ascii=False, default=repr).encode()
    call = ToolCall(id="c1", name="look", arguments="{}")
    session.answer("next", "", calls=[call])
    session.tool("next", call, ToolResult.ok("seen"), 0.1)
    session.answer("next", "Done.")
    session.end("next", StopReason.COMPLETED)
    assert _messages(session.history)[-1].text == "Done."


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(events=EVENTS, damages=DAMAGE)
def test_any_history_is_valid(
    lab: Any,
    tmp_path_factory: pytest.TempPathFactory,
    events: list[tuple[Any, ...]],
    damages: list[tuple[Any, ...]],
) -> None:
    folder = tmp_path_factory.mktemp("h")
    machine = Machine(lab, folder)
    for event in events:
        machine.do(event)
    live = machine.session.history
    if live.open is None and live.count:
        lab.check(_messages(live))
    path = machine.close()

    machine.open()
    replayed = machine.session.history
    assert _messages(replayed) == _messages(live), "a new process sees what the old one saw"
    assert (replayed.preset, replayed.usage) == (live.preset, live.usage)
    machine.close()

    data = path.read_bytes()
    for damage in damages:
        data = _harm(data, damage)
    path.write_bytes(data)
    try:
        machine.open()
    except SessionVersion:  # the damage made another header of it
        assert path.read_bytes() == data
        return
    _next_turn(lab, machine.session)
    machine.close()
    assert path.read_bytes().startswith(data), "nothing is rewritten"
    machine.open()
    assert _messages(machine.session.history)[-1].text == "Done."
    lab.check(_messages(machine.session.history))
    machine.close()


# --- single rules ------------------------------------------------------------------------------


@pytest.fixture
def machine(lab: Any, tmp_path: Path) -> Iterator[Machine]:
    made = Machine(lab, tmp_path / "sessions")
    yield made
    made.close()


def test_reset_hides_and_keeps(machine: Machine) -> None:
    for event in (
        ("user", (Text(text="secret"),), ""),
        ("answer", "ok", [], [], False),
        ("end", StopReason.COMPLETED),
        ("reset",),
    ):
        machine.do(event)
    assert not machine.session.history.count and not machine.session.entries(10)
    assert machine.session.history.usage.calls == 1, "what was spent was spent"
    assert b"secret" in machine.close().read_bytes()
    machine.open()
    assert not machine.session.history.messages()


def test_reset_closes_a_turn_that_was_interrupted(machine: Machine) -> None:
    machine.do(("user", (Text(text="hi"),), ""))
    machine.do(("reset",))
    machine.do(("answer", "late", [], [], False))
    assert machine.session.history.open is None and not machine.session.history.messages()


def test_the_last_preset_counts(machine: Machine) -> None:
    for name in ("fast", "deep", ""):
        machine.do(("preset", name))
        machine.do(("crash",))
        assert machine.session.history.preset == name


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (StopReason.ERROR, "could not be reached or failed"),
        (StopReason.CANCELLED, "the user stopped"),
        (StopReason.INTERRUPTED, "interrupted"),
        (StopReason.TIME_LIMIT, "interrupted"),
    ],
)
def test_a_turn_without_an_answer_says_why(
    machine: Machine, reason: StopReason, words: str
) -> None:
    machine.do(("user", (Text(text="hi"),), ""))
    machine.do(("end", reason))
    assert words in _messages(machine.session.history)[-1].text


def test_an_error_text_is_no_part_of_the_conversation(machine: Machine) -> None:
    machine.do(("user", (Text(text="hi"),), ""))
    machine.session.end("t1", StopReason.ERROR, "secret vendor error")
    assert "vendor" not in repr(_messages(machine.session.history))


def test_the_first_result_of_a_call_counts(machine: Machine) -> None:
    machine.do(("user", (Text(text="hi"),), ""))
    call = ToolCall(id="c1", name="look", arguments="{}")
    machine.do(("answer", "", [call], [], False))
    machine.do(("tool", "c1", ToolResult.ok("first")))
    machine.do(("tool", "c1", ToolResult.ok("second")))
    assert _messages(machine.session.history)[1].tool_uses[0].result.text == "first"


def test_an_id_used_again_in_a_later_answer_is_another_call(machine: Machine) -> None:
    machine.do(("user", (Text(text="hi"),), ""))
    call = ToolCall(id="c1", name="look", arguments="{}")
    for text in ("first", "second"):
        machine.do(("answer", "", [call], [], False))
        machine.do(("tool", "c1", ToolResult.ok(text)))
    uses = [message.tool_uses[0] for message in _messages(machine.session.history)[1:]]
    assert [use.result.text for use in uses] == ["first", "second"]


def test_a_picture_that_is_gone_becomes_a_mention(machine: Machine, tmp_path: Path) -> None:
    picture = Image(data=b"png", media_type="image/png", name="cat.png")
    machine.do(("user", (picture,), ""))
    for file in (tmp_path / "sessions" / "media").iterdir():
        file.unlink()
    machine.do(("crash",))
    messages, pictured = fit(machine.session.history, 10_000)
    (message,) = run(machine.session.fetch(messages, pictured))
    assert text_of(message.parts) == "[image: cat.png, no longer stored]"


# --- what is sent ------------------------------------------------------------------------------


@given(sizes=st.lists(st.integers(1, 500), min_size=1, max_size=60), budget=st.integers(1, 2000))
def test_the_first_turn_sent_moves_on_only(sizes: list[int], budget: int) -> None:
    sums = [0, *accumulate(sizes)]
    starts = [first_turn(sums[: n + 1], sums[n + 1], budget) for n in range(len(sizes))]
    assert starts == sorted(starts), "what was left out stays out"
    for index, start in enumerate(starts):
        assert start <= index, "the last turn is always sent"
        assert sum(sizes[start : index + 1]) <= budget or start == index


@given(
    sizes=st.lists(st.integers(1, 500), min_size=1, max_size=200),
    budget=st.integers(1, 2000),
    kept=st.integers(0, 1000),
)
def test_what_is_forgotten_would_not_be_sent(sizes: list[int], budget: int, kept: int) -> None:
    """A session that remembers no more than it must sends the same as one that remembers all."""
    lean, whole = Conversation(budget + kept), Conversation(10**9)
    for number, size in enumerate(sizes):
        said = [UserMessage(parts=(Text(text=str(number)),))]
        assert lean.cut(size, budget) == whole.cut(size, budget)
        for conversation in (lean, whole):
            conversation.add(said, size)
    assert lean.weight <= whole.weight
