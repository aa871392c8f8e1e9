"""The form and the bounds of what a command printed."""

from __future__ import annotations

from typing import Any

import pytest
from nanobot.messages import Text, Trust
from nanobot_tool_exec.output import Capture, render


def test_both_streams_and_the_exit_code(execute: Any) -> None:
    result = execute("echo out; echo err >&2; exit 3")
    assert result.text == "out\nSTDERR:\nerr\nExit code: 3"
    assert not result.is_error, "a command that fails is no failure of the tool"


def test_no_output(execute: Any) -> None:
    assert execute("true").text == "(no output)\nExit code: 0"


def test_a_signal_counts_from_128(execute: Any) -> None:
    assert execute("kill -SEGV $$").text.endswith("Exit code: 139")


def test_what_an_unconfined_command_prints_is_not_trusted(execute: Any) -> None:
    (part,) = execute("echo hi").parts
    assert isinstance(part, Text) and part.trust is Trust.UNTRUSTED


def test_bytes_that_are_no_text_are_replaced(execute: Any) -> None:
    assert execute(r"printf 'a\377b\n'").text == "a\ufffdb\nExit code: 0"


def test_standard_input_is_closed(execute: Any) -> None:
    assert execute("cat; read x; echo $?").text == "1\nExit code: 0"


def test_broken_pipes_end_a_command_as_in_a_terminal(execute: Any) -> None:
    assert execute("yes | head -1; echo ${PIPESTATUS[0]}").text == "y\n141\nExit code: 0"


@pytest.mark.parametrize(
    ("asked", "kept"), [(None, 10_000), (1, 1_000), (2_000, 2_000), (10**9, 50_000)]
)
def test_long_output_keeps_both_ends(execute: Any, asked: int | None, kept: int) -> None:
    given = {} if asked is None else {"max_output_chars": asked}
    result = execute("echo FIRST; seq 1 200000; echo LAST", **given)
    assert result.text.startswith("FIRST\n1\n2\n")
    assert result.text.endswith("\nLAST\nExit code: 0")
    assert kept <= len(result.text) < kept + 300
    assert "characters left out" in result.text


def test_a_note_counts_what_is_missing() -> None:
    out = Capture()
    for _ in range(50):
        out.feed(b"x" * 65_536)
    text = render(out, Capture(), "Exit code: 0", limit=10_000)
    whole = 50 * 65_536 + len("\nExit code: 0")
    assert f"about {whole - 10_000} characters left out" in text


def test_memory_is_bounded_and_both_ends_are_exact() -> None:
    capture = Capture()
    capture.feed(b"begin")
    for _ in range(1_000):
        capture.feed(b"-" * 65_536)
    capture.feed(b"end")
    text = capture.text
    assert text.startswith("begin-") and text.endswith("-end")
    assert len(text) < 500_000
    assert len(text) + capture.dropped == 8 + 1_000 * 65_536


def test_a_character_split_between_chunks_is_whole() -> None:
    capture = Capture()
    for byte in "größe 🐈".encode():
        capture.feed(bytes([byte]))
    assert capture.text == "größe 🐈"


def test_short_output_is_left_as_it_is() -> None:
    capture = Capture()
    capture.feed(b"  two\n\nlines\n")
    assert render(capture, Capture(), "Exit code: 0", limit=1_000) == (
        "  two\n\nlines\nExit code: 0"
    )
