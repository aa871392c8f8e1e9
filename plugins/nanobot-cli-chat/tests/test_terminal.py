"""The whole chat in a terminal, as a person meets it."""

import re
import signal

import pytest

CTRL_C, CTRL_D, UP, TAB, RIGHT = "\x03", "\x04", "\x1b[A", "\t", "\x1b[C"


def test_a_conversation(open_terminal):
    terminal = open_terminal()
    terminal.ask("plan", "a    1")
    terminal.ask("tools", "Done.")
    terminal.ask("Exit", "Goodbye!")
    assert terminal.end() == 0
    assert not terminal.window.screen.cursor.hidden
    lines = terminal.window.lines()
    assert lines[0] == "demo answers"
    shown = lines[lines.index("❯ plan") :]
    assert shown[: shown.index("❯ tools")] == [
        *("❯ plan", "", "🐈 nanobot", "Plan", "", "First words of the answer.", ""),
        *(" • one", " • two", "", 'print("hi")', "", " key  value", " ──────────"),
        *(" a    1", ""),
    ]
    assert "✗ fetch url=http://h/?api_key=*** (0.2 s) timeout" in shown


def test_text_is_there_before_the_turn_ends_and_ctrl_c_stops_it(open_terminal):
    terminal = open_terminal()
    terminal.ask("endless", " • tw")
    terminal.type(CTRL_C)
    terminal.prompt("Stopped.")
    terminal.ask("hello", "You said: hello")
    assert " • tw" in terminal.window.lines()


def test_a_stopped_turn_names_the_tool_that_was_running(open_terminal):
    terminal = open_terminal()
    terminal.ask("slow tool", "exec command=make")
    terminal.type(CTRL_C)
    terminal.prompt("Stopped.")
    assert "✗ exec command=make stopped" in terminal.window.lines()


def test_keys_pressed_while_a_turn_runs_are_forgotten(open_terminal):
    terminal = open_terminal()
    terminal.ask("stuck", "nanobot is thinking…")
    terminal.type("impatient\r")
    terminal.type(CTRL_C)
    terminal.prompt("Stopped.")
    terminal.ask("hello", "You said: hello")
    assert "impatient" not in terminal.window.text


def test_ctrl_d_leaves(open_terminal):
    terminal = open_terminal()
    terminal.prompt()
    terminal.type(CTRL_D)
    assert terminal.end() == 0
    assert terminal.window.lines()[-1] == "Goodbye!"


def test_ctrl_c_twice_leaves(open_terminal):
    terminal = open_terminal()
    terminal.prompt()
    terminal.type(f"half a thought{CTRL_C}")
    terminal.wait_for("Ctrl+C again to leave")
    terminal.type(CTRL_C)
    assert terminal.end() == 0
    assert terminal.window.lines()[-1] == "Goodbye!"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("message", ["", "endless"])
def test_a_signal_ends_it_in_order(open_terminal, number, message):
    terminal = open_terminal()
    terminal.prompt()
    if message:
        terminal.ask(message, " • tw")
    terminal.process.send_signal(number)
    assert terminal.end() == 0
    assert not terminal.window.screen.cursor.hidden
    assert "Traceback" not in terminal.raw
    assert terminal.raw.rindex("\x1b[?2004l") > terminal.raw.rindex("\x1b[?2004h")


@pytest.mark.parametrize("message", ["", "endless"])
def test_a_closed_window_ends_it(open_terminal, message):
    terminal = open_terminal()
    terminal.prompt()
    if message:
        terminal.ask(message, " • tw")
    terminal.hang_up()
    assert terminal.process.wait(20) == 0


def test_slash_commands_are_offered_and_completed(open_terminal):
    terminal = open_terminal()
    terminal.prompt()
    terminal.type("/")
    terminal.wait_for("Choose the model.")
    terminal.type(TAB)
    terminal.wait_for("❯ /dream-log")
    terminal.type("abc\r")
    terminal.wait_for("You said: /dream-log abc")


def test_what_was_typed_comes_back_the_next_time(open_terminal):
    first = open_terminal()
    first.ask("a rather long question", "You said: a rather")
    first.ask("quit", "Goodbye!")
    assert first.end() == 0
    second = open_terminal()
    second.prompt()
    second.type("a rat")
    second.wait_for("❯ a rather long question")
    second.type(f"{RIGHT}\r")
    second.wait_for("You said: a rather long question")
    second.prompt()
    second.type(f"{UP}!\r")
    second.wait_for("You said: a rather long question!")


def test_a_history_that_can_not_be_kept_is_no_obstacle(open_terminal, tmp_path):
    (tmp_path / "history").write_text("no folder")
    terminal = open_terminal()
    terminal.prompt("What you type is not kept for the next time:")
    terminal.ask("hello", "You said: hello")


def test_a_narrow_window(open_terminal):
    terminal = open_terminal(columns=40, rows=12)
    terminal.ask("plan", "a    1")
    terminal.ask("evil", "end")
    assert "safe]0;owned [2J\\u202etext31m end" in terminal.window.lines()


def test_raw_answers(open_terminal):
    terminal = open_terminal("--no-markdown")
    terminal.ask("plan", "| a   | 1     |")
    assert "First *words* of the answer." in terminal.window.lines()


def test_colours_can_be_switched_off(open_terminal):
    coloured = re.compile(r"\x1b\[[\d;]*(3[0-7]|9[0-7]|38;)[\d;]*m")
    with_colours = open_terminal()
    with_colours.ask("fail", "No key.")
    assert coloured.search(with_colours.raw)
    without = open_terminal(NO_COLOR="1")
    without.ask("fail", "No key.")
    without.ask("plan", "a    1")
    assert not coloured.search(without.raw)


def test_a_dumb_terminal_gets_plain_text(open_terminal):
    terminal = open_terminal(TERM="dumb")
    terminal.wait_for("demo answers")
    terminal.type("hello\n")
    terminal.wait_for("You said: hello")
    terminal.type("exit\n")
    assert terminal.end() == 0
    assert "\x1b" not in terminal.raw
