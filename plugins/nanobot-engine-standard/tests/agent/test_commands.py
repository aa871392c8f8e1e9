"""Slash commands: recognised, run, and never sent to a model."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from nanobot.engine import Limits
from nanobot.errors import ConfigError
from nanobot.events import TextDelta, TurnFinished, TurnStarted
from nanobot.messages import StopReason
from nanobot.specs import CommandSpec
from nanobot_engine_standard import commands
from nanobot_testing import run
from nanobot_testing.lab import call


def reply(lab: Any, text: str, **options: Any) -> str:
    """Return what a command replies; the model must not be asked."""
    events = lab.run(text, **options)
    assert [type(event) for event in events] == [TurnStarted, TextDelta, TurnFinished]
    end = lab.finished(events)
    assert end.stop_reason is StopReason.COMMAND and not lab.model.requests
    assert end.content == lab.shown(events)
    return end.content  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("/help", ("help", "")),
        ("  /help  ", ("help", "")),
        ("/HELP", ("help", "")),
        ("/hElP", ("help", "")),
        ("/help@my_bot", ("help", "")),
        ("/model@my_bot fast", ("model", "fast")),
        ("/model   fast one ", ("model", "fast one")),
        ("/dream-log abc", ("dream_log", "abc")),
        ("/Dream_Log", ("dream_log", "")),
        ("/goal line one\nline two", ("goal", "line one\nline two")),
        ("/etc is full", ("etc", "is full")),
    ],
)
def test_what_is_a_command(text: str, parsed: tuple[str, str]) -> None:
    assert commands.parse(text) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "",
        "/",
        "//",
        "/ help",
        "/etc/hosts is what?",
        "/etc/passwd",
        "/usr/bin/env",
        "/1",
        "/?",
        "/help!",
        "see /help",
        "/home/alice/notes.txt please",
        "~/help",
        "C:/help",
        "/é",
    ],
)
def test_what_is_no_command(text: str) -> None:
    assert commands.parse(text) is None


def test_a_path_goes_to_the_model(lab: Any) -> None:
    lab.model.says("A list of hosts.")
    assert lab.finished(lab.run("/etc/hosts is what?")).content == "A list of hosts."


def test_an_unknown_command_gets_a_suggestion(lab: Any) -> None:
    assert reply(lab, "/hlep") == (
        "There is no command /hlep. Did you mean /help? /help lists all commands."
    )
    assert reply(lab, "/frobnicate now") == (
        "There is no command /frobnicate. /help lists all commands."
    )


@pytest.mark.parametrize("command", ["/new now", "/status please"])
def test_arguments_that_nobody_wants_are_refused(lab: Any, command: str) -> None:
    assert reply(lab, command) == f"{command.split()[0]} takes no arguments."


# --- the core's own ----------------------------------------------------------------------------


def test_help_lists_all_commands(lab: Any) -> None:
    lines = reply(lab, "/HELP@bot").splitlines()
    assert [line.split("`")[1] for line in lines] == [
        "/help [command]",
        "/history [count]",
        "/model [preset]",
        "/new",
        "/status",
    ]


def test_help_tells_of_one_command(lab: Any) -> None:
    assert reply(lab, "/help new") == reply(lab, "/help /new")
    assert "`/new`" in reply(lab, "/help new") and "\n" not in reply(lab, "/help new")
    assert "no command 'nonsense'" in reply(lab, "/help nonsense")


def test_new_starts_afresh_and_keeps_the_transcript(lab: Any) -> None:
    lab.model.says("I am Bo.").says("Who?")
    lab.run("I am Alice.")
    lab.run("/new")
    lab.run("and now?")
    assert len(lab.model.requests[-1].messages) == 1
    assert "I am Alice." in lab.transcript().read_text()
    assert "and now?" in lab.run("/history")[1].text


def test_new_is_about_one_session(lab: Any) -> None:
    lab.model.says("one").says("two")
    lab.run("hi", session="a")
    lab.run("/new", session="b")
    lab.run("again", session="a")
    assert len(lab.model.requests[-1].messages) == 3


def test_history_shows_the_last_messages(lab: Any) -> None:
    assert reply(lab, "/history") == "Nothing was said yet."
    lab.model.says("One.").says("Two\n  lines.").says("x" * 1000)
    lab.run("1", "2", "3")
    lab.model.requests.clear()
    assert reply(lab, "/history 4").splitlines() == [
        "- **user**: 2",
        "- **assistant**: Two lines.",
        "- **user**: 3",
        "- **assistant**: " + "x" * 200,
    ]
    assert len(reply(lab, "/history").splitlines()) == 6


@pytest.mark.parametrize("count", ["0", "51", "-1", "ten", "1.5", "9" * 5000, "٣", "1 2", "\x00"])
def test_history_wants_a_sensible_number(lab: Any, count: str) -> None:
    assert "from 1 to 50" in reply(lab, f"/history {count}")


def test_status_shows_the_facts(lab: Any) -> None:
    lab.model.says("ok")
    lab.run("hi")
    lab.model.requests.clear()
    shown = reply(lab, "/status")
    assert "- model: main/m-1" in shown
    assert "- context: 12 of 190784 tokens (0 %)" in shown
    assert "- tokens: 10 in (0 cached), 2 out" in shown
    assert "- session: cli:direct, 1 turns" in shown


def test_a_preset_is_chosen_for_a_session_and_stays(lab: Any) -> None:
    lab.presets["fast"] = (lab.choice(model="m-fast"),)
    lab.presets["deep"] = (lab.choice(model="m-deep"),)
    shown = reply(lab, "/model")
    assert "'default'" in shown and "`/model deep` m-deep" in shown and "`/model fast`" in shown
    assert "'fast'" in reply(lab, "/model fast")
    lab.model.says("one").says("two").says("three")
    lab.run("hi")
    lab.run("hi", session="other")
    assert "default" in lab.run("/model default")[1].text
    lab.run("hi")
    assert [r.model for r in lab.model.requests] == ["m-fast", "m-1", "m-1"]


def test_status_tells_of_the_chosen_preset(lab: Any) -> None:
    lab.presets["fast"] = (lab.choice(model="m-fast", window=50_000),)
    reply(lab, "/model fast")
    shown = reply(lab, "/status")
    assert "- model: main/m-fast" in shown and "of 40784 tokens" in shown


def test_an_unknown_preset_is_refused(lab: Any) -> None:
    lab.presets["fast"] = (lab.choice(model="m-fast"),)
    assert reply(lab, "/model fats") == (
        "There is no model preset 'fats'. Did you mean fast?\nPresets: fast."
    )
    lab.presets.clear()
    assert "none are configured" in reply(lab, "/model fast")
    assert "No presets are configured" in reply(lab, "/model")


def test_a_preset_that_was_removed_gives_the_default(lab: Any) -> None:
    lab.presets["fast"] = (lab.choice(model="m-fast"),)
    reply(lab, "/model fast")
    lab.presets.clear()
    lab.model.says("ok")
    lab.run("hi")
    assert lab.model.requests[-1].model == "m-1"


def test_a_preset_outlives_new(lab: Any) -> None:
    lab.presets["fast"] = (lab.choice(model="m-fast"),)
    reply(lab, "/model fast")
    reply(lab, "/new")
    lab.model.says("ok")
    lab.run("hi")
    assert lab.model.requests[-1].model == "m-fast"


# --- plugins' commands -------------------------------------------------------------------------


class Command:
    """A command that is one function."""

    def __init__(self, function: Any) -> None:
        self._function = function

    async def run(self, request: Any) -> Any:
        return await self._function(request)


def _offer(lab: Any, function: Any, **spec: Any) -> None:
    made = CommandSpec(name="greet_all", factory="", description="Greet.", **spec)
    lab.offer("commands", made, Command(function))


def test_a_plugins_command(lab: Any) -> None:
    async def greet(request: Any) -> str:
        return f"{request.name}: {request.arguments} for {request.turn.scope.principal.user}"

    _offer(lab, greet, usage="NAME")
    assert reply(lab, "/greet-all Bob") == "greet-all: Bob for alice"
    assert reply(lab, "/Greet_All@bot Bob") == "greet-all: Bob for alice"
    assert "`/greet-all NAME` Greet." in reply(lab, "/help")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConfigError("no key", remedy="Set one."), "no key\nSet one."),
        (ValueError("bug"), "/greet-all failed: ValueError: bug"),
        (SystemExit(2), "/greet-all failed: SystemExit: 2"),
    ],
)
def test_a_command_that_fails_replies_why(
    lab: Any, capsys: pytest.CaptureFixture[str], error: BaseException, words: str
) -> None:
    async def fail(request: Any) -> str:
        raise error

    _offer(lab, fail)
    assert reply(lab, "/greet-all") == words
    crashed = not isinstance(error, ConfigError)
    assert ("command_crashed" in capsys.readouterr().err) == crashed


def test_a_command_that_replies_no_text_has_failed(lab: Any) -> None:
    async def nothing(request: Any) -> None:
        return None

    _offer(lab, nothing)
    assert "returned a NoneType" in reply(lab, "/greet-all")


def test_a_command_that_never_ends_is_stopped(lab: Any) -> None:
    async def forever(request: Any) -> str:
        await asyncio.Event().wait()
        return ""

    lab.limits = Limits(turn_timeout_s=0.01)
    _offer(lab, forever)
    assert "/greet-all failed" in reply(lab, "/greet-all")


def test_what_a_command_may_do_with_the_session(lab: Any) -> None:
    seen: dict[str, Any] = {}

    async def look(request: Any) -> str:
        session = request.session
        seen["key"] = session.key
        seen["history"] = [(e.role, e.text) for e in session.history(2)]
        seen["none"] = session.history(0)
        seen["presets"] = dict(request.host.presets())
        session.reset()
        return "ok"

    lab.presets["fast"] = (lab.choice(model="m-fast"),)
    lab.model.says("One.")
    lab.run("1", session="s:1")
    lab.model.requests.clear()
    _offer(lab, look)
    reply(lab, "/greet-all", session="s:1")
    assert seen == {
        "key": "s:1",
        "history": [("user", "1"), ("assistant", "One.")],
        "none": [],
        "presets": {"fast": "m-fast"},
    }
    assert reply(lab, "/history", session="s:1") == "Nothing was said yet."


@pytest.mark.parametrize(("command", "waits"), [("/look", False), ("/change", True)])
def test_some_commands_do_not_wait_for_the_running_turn(
    lab: Any, command: str, waits: bool
) -> None:
    """They look at the session, and leave no record in it."""
    for name, at_once in (("look", True), ("change", False)):
        spec = CommandSpec(name=name, factory="", description="Do.", while_running=at_once)
        lab.offer("commands", spec, Echo())
    began, go = asyncio.Event(), asyncio.Event()

    async def handler(request: Any, turn: Any) -> str:
        began.set()
        await go.wait()
        return "done"

    lab.tool("slow", handler)
    lab.model.calls(call("slow")).says("Finished.")

    async def work() -> None:
        async with lab.agent() as agent:
            turn = asyncio.create_task(lab.ask(agent, "go"))
            await began.wait()
            before = lab.transcript().read_bytes()
            answer = asyncio.create_task(lab.ask(agent, command))
            if waits:
                for _ in range(20):
                    await asyncio.sleep(0)
                assert not answer.done()
            else:
                assert lab.finished(await answer).content == f"did {command[1:]}"
                assert lab.transcript().read_bytes() == before
            go.set()
            assert lab.finished(await turn).content == "Finished."
            assert lab.finished(await answer).content == f"did {command[1:]}"

    run(work())


class Echo:
    """A command that says its own name."""

    async def run(self, request: Any) -> str:
        return f"did {request.name}"
