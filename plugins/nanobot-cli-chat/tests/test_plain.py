"""The chat through pipes."""

import io
import os
import signal
import subprocess
import sys

import pytest
from nanobot.events import (
    Notice,
    ReasoningDelta,
    StreamEnd,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnFinished,
)
from nanobot.messages import StopReason, ToolCall, ToolResult
from nanobot_cli_chat.plain import LineReader, PlainView
from nanobot_testing import run

CALL = ToolCall(id="1", name="exec", arguments="{}")


def written(*events):
    answers, remarks = io.StringIO(), io.StringIO()
    view = PlainView(answers, remarks)

    async def go():
        async with view.turn():
            for event in events:
                view.show(event)

    run(go())
    return answers.getvalue(), remarks.getvalue()


def test_answers_and_remarks_are_kept_apart():
    answers, remarks = written(
        ReasoningDelta(text="Hm."),
        TextDelta(text="One "),
        TextDelta(text="moment"),
        StreamEnd(resuming=True),
        ToolStarted(call=CALL, arguments={"command": "ls"}),
        ToolFinished(call=CALL, result=ToolResult.ok("x"), seconds=0.1),
        Notice(kind="retry", text="Again."),
        TextDelta(text="Done"),
        TurnFinished(content="Done", stop_reason=StopReason.COMPLETED),
    )
    assert answers == "One moment\nDone\n"
    assert remarks == "Hm.\n✓ exec command=ls (0.1 s)\nAgain.\n"


def test_an_answer_that_did_not_come_in_pieces_is_written():
    event = TurnFinished(content="**Help**", stop_reason=StopReason.COMMAND)
    assert written(event) == ("**Help**\n", "")


def test_errors_are_no_answers():
    event = TurnFinished(content="", stop_reason=StopReason.ERROR, error="No key.\nSet KEY.")
    assert written(event) == ("", "No key.\nSet KEY.\n")


def test_control_sequences_are_left_out():
    assert written(TextDelta(text="a\x1b[2Jb"))[0] == "a[2Jb\n"


def test_what_was_stopped_is_named():
    remarks = io.StringIO()
    view = PlainView(io.StringIO(), remarks)
    view.show(ToolStarted(call=CALL, arguments={"command": "sleep"}))
    view.stopped()
    assert remarks.getvalue() == "✗ exec command=sleep stopped\nStopped.\n"


def lines_of(source):
    async def go():
        reader = LineReader(source)
        lines = []
        while (line := await reader.read()) is not None:
            lines.append(line)
        return lines

    return run(go())


def test_lines_come_from_a_pipe_whatever_its_chunks():
    read, write = os.pipe()
    os.write(write, "grüße\nzwei\n\nlast".encode())
    os.close(write)
    with os.fdopen(read) as source:
        assert lines_of(source) == ["grüße", "zwei", "", "last"]


def test_a_line_is_read_before_the_pipe_ends():
    read, write = os.pipe()

    async def go():
        reader = LineReader(source)
        os.write(write, b"one\ntw")
        first = await reader.read()
        os.write(write, b"o\n")
        return first, await reader.read()

    with os.fdopen(read) as source:
        assert run(go()) == ("one", "two")
    os.close(write)


@pytest.mark.parametrize("content", ["", "one\ntwo\n", "one\r\ntwo", "x" * 200_000 + "\nend"])
def test_lines_come_from_a_file(tmp_path, content):
    file = tmp_path / "lines"
    file.write_text(content)
    with file.open() as source:
        expected = content.replace("\r\n", "\n").splitlines()
        assert [line.strip() for line in lines_of(source)] == expected


def test_bytes_that_are_no_text_do_no_harm(tmp_path):
    file = tmp_path / "lines"
    file.write_bytes(b"a\xffb\n")
    with file.open() as source:
        assert lines_of(source) == ["a\ufffdb"]


def test_lines_come_from_memory():
    assert [line.strip() for line in lines_of(io.StringIO("one\ntwo"))] == ["one", "two"]


def piped(script, folder, text, *flags):
    return subprocess.run(
        [sys.executable, str(script), str(folder), *flags],
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_a_conversation_through_pipes(script, scripted, tmp_path):
    done = piped(script, tmp_path, "plan\n\n  \ntools\nhello\nQuit\nnever asked\n")
    assert done.returncode == 0
    assert done.stdout == f"{scripted.MARKDOWN}Done.\nYou said: hello\n"
    assert done.stderr.splitlines()[0] == "demo answers"
    assert "\x1b" not in done.stdout + done.stderr
    assert not (tmp_path / "history").exists()


def test_a_failed_turn_shows_in_the_exit_status_and_the_next_one_runs(script, tmp_path):
    done = piped(script, tmp_path, "busy\nbug\nfail\nhello\n")
    assert done.returncode == 1
    assert done.stdout == "You said: hello\n"
    assert done.stderr.splitlines()[1:] == [
        "The session is busy.",
        "Wait for the other turn.",
        "The turn failed: ValueError: unexpected",
        "What was said before is kept. Start with --logs to see where it happened.",
        "No key.",
        "Set DEMO_KEY.",
    ]


def test_logs_show_where_a_turn_failed(script, tmp_path):
    done = piped(script, tmp_path, "bug\n", "--logs")
    assert "Traceback" in done.stderr
    assert "Traceback" not in done.stdout


def test_nothing_to_read_is_a_short_conversation(script, tmp_path):
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], stdin=subprocess.DEVNULL, capture_output=True
    )
    assert (done.returncode, done.stdout) == (0, b"")


def test_a_reader_that_has_seen_enough_is_no_error(script, tmp_path):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        input=b"plan\nplan\n",
        stdout=write,
        stderr=subprocess.PIPE,
    )
    os.close(write)
    assert done.returncode == 0
    assert done.stderr == b"demo answers\n"


def test_an_interrupt_ends_it_as_a_shell_expects(script, tmp_path):
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stderr.readline() == b"demo answers\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20) == (b"", b"")
    assert process.returncode == 130
