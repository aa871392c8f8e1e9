"""The loop of the conversation."""

import asyncio
from contextlib import asynccontextmanager, nullcontext

import pytest
from nanobot.events import TextDelta, TurnFinished
from nanobot_cli_chat.app import Chat
from nanobot_testing import run


class Listed:
    """Reads from a list, and tells whether a turn runs."""

    def __init__(self, *messages):
        self.messages = list(messages)

    async def read(self):
        return self.messages.pop(0) if self.messages else None

    def busy(self):
        return nullcontext()


class Noted:
    """Notes what it is told to show."""

    def __init__(self):
        self.seen = []

    @asynccontextmanager
    async def turn(self):
        self.seen.append("turn")
        try:
            yield
        finally:
            self.seen.append("end")

    def show(self, event):
        if isinstance(event, TextDelta):
            self.seen.append(event.text)

    def note(self, text):
        self.seen.append(f"note: {text}")

    def warn(self, text):
        self.seen.append(f"warn: {text}")

    def stopped(self):
        self.seen.append("stopped")

    def fail(self, message):
        self.seen.append(f"fail: {message}")


@pytest.fixture
def start(scripted, tmp_path):
    """Return a chat, its bot and its view."""

    def start(*messages, scripts=None):
        bot = scripted.ScriptedBot(tmp_path, scripts or scripted.SHOW)
        view = Noted()
        return Chat(bot, Listed(*messages), view, "cli:test"), bot, view

    return start


@pytest.mark.parametrize("word", ["exit", "quit", "/exit", "/quit", ":q", " EXIT ", "Quit"])
def test_exit_words_leave(start, word):
    chat, bot, _ = start("hello", word, "more")
    run(chat.run())
    assert bot.heard == [("cli:test", "hello")]


def test_the_end_of_input_leaves(start):
    chat, bot, _ = start("", "   ", " hello ")
    run(chat.run())
    assert bot.heard == [("cli:test", "hello")]
    assert not chat.failed


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("busy", ["fail: The session is busy.\nWait for the other turn."]),
        ("bug", ["fail: The turn failed: ValueError: unexpected\n"]),
        ("fail", []),
    ],
)
def test_a_failure_ends_the_turn_and_not_the_conversation(start, message, shown):
    chat, _, view = start(message, "hello")
    run(chat.run())
    assert chat.failed
    failures = view.seen[1 : view.seen.index("end")]
    assert len(failures) == len(shown)
    assert all(seen.startswith(words) for seen, words in zip(failures, shown, strict=True))
    assert view.seen[-3:] == ["turn", "You said: hello", "end"]


def test_a_running_turn_can_be_stopped_and_the_next_one_runs(start):
    chat, bot, view = start("stuck", "hello", scripts={"stuck": [lambda: chat.stop_turn(), hang]})
    run(chat.run())
    assert bot.stopped == ["stuck"]
    assert view.seen == ["turn", "stopped", "end", "turn", "You said: hello", "end"]
    assert not chat.failed


async def hang():
    await asyncio.Event().wait()


def test_stopping_twice_is_told_from_stopping_once(start):
    asked = []

    def stop():
        asked.append(chat.stop_turn())

    chat, _, _ = start("stuck", scripts={"stuck": [stop, stop, hang]})
    assert chat.stop_turn() is False
    run(chat.run())
    assert asked == [True, False]
    assert chat.stop_turn() is False


def test_a_turn_that_ends_in_order_when_stopped_is_shown_to_its_end(start):
    async def graceful():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    end = TurnFinished(content="", stop_reason="cancelled")
    steps = [lambda: chat.stop_turn(), graceful, TextDelta(text="half"), end]
    chat, bot, view = start("stuck", scripts={"stuck": steps})
    run(chat.run())
    assert view.seen == ["turn", "half", "end"]
    assert bot.stopped == []


def test_ending_the_conversation_stops_the_turn_first(start):
    chat, bot, view = start("stuck", "never", scripts={"stuck": [lambda: task.cancel(), hang]})

    async def go():
        nonlocal task
        task = asyncio.create_task(chat.run())
        await asyncio.wait({task})
        return task.cancelled()

    task = None
    assert run(go())
    assert bot.stopped == ["stuck"]
    assert [message for _, message in bot.heard] == ["stuck"]
    assert view.seen == ["turn", "end"]
