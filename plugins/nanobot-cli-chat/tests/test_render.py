"""What a person sees while a turn runs, and afterwards."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
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
from nanobot.messages import StopReason, ToolCall, ToolResult
from nanobot_cli_chat import render
from nanobot_testing import run

CALL = ToolCall(id="1", name="read_file", arguments="{}")
STARTED = ToolStarted(call=CALL, arguments={"path": "notes.md"})
DONE = TurnFinished(content="", stop_reason=StopReason.COMPLETED)
NUMBERS = "".join(f"- item {number}\n" for number in range(100))


@pytest.fixture
def play(make_window, make_view):
    """Show events in a window, draw after each, and return all that can be seen afterwards."""

    def play(*events, columns=80, rows=40, watch=None, **options):
        window = make_window(columns, rows)
        view = make_view(window, **options)

        async def go():
            async with view.turn():
                for event in events:
                    view.show(event)
                    view.draw()
                    if watch:
                        watch(window.lines())

        run(go())
        return window.lines()

    return play


def pieces(text, sizes):
    """Return a text as deltas of the given sizes, and the end of its turn."""
    made = []
    for size in sizes:
        made.append(TextDelta(text=text[:size]))
        text = text[size:]
    return [*made, TextDelta(text=text), StreamEnd(resuming=False), DONE]


def test_somebody_is_thinking_until_there_is_something_to_see(play):
    seen = []
    play(TurnStarted(turn_id="t", session_key="s"), TextDelta(text="Hi"), watch=seen.append)
    assert seen[0][1].endswith("nanobot is thinking…")
    assert seen[1] == ["", "🐈 nanobot", "Hi"]


def test_text_appears_as_it_comes_and_stays_once(play):
    seen = []
    end = play(*pieces("One two\n\nthree", [3, 8]), watch=seen.append)
    assert seen[0] == ["", "🐈 nanobot", "One"]
    assert seen[1] == ["", "🐈 nanobot", "One two", "", "th"]
    assert seen[-1] == end == ["", "🐈 nanobot", "One two", "", "three"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 30), max_size=12), st.sampled_from([40, 80]))
def test_the_same_answer_looks_the_same_in_whatever_pieces_it_came(play, scripted, sizes, columns):
    text = scripted.MARKDOWN
    assert play(*pieces(text, sizes), columns=columns) == play(*pieces(text, []), columns=columns)


@pytest.mark.parametrize("text", [NUMBERS, f"```\n{NUMBERS}```\n", NUMBERS.replace("- ", "\n")])
def test_what_is_higher_than_the_window_is_all_there_afterwards(play, text):
    seen = []
    end = play(*pieces(text, [17] * (len(text) // 17)), rows=12, watch=seen.append)
    items = [line for line in end if "item" in line]
    assert items == [line for line in play(*pieces(text, []), rows=2000) if "item" in line]
    assert len(items) == 100
    for number, lines in enumerate(seen[:-2], start=1):
        complete = text[: 17 * number].split("\n")[:-1]
        latest = [line.strip("- ") for line in complete if "item" in line][-1:]
        assert all(any(line.endswith(item) for line in lines[-12:]) for item in latest)


def test_finished_blocks_are_rendered_once_and_open_ones_in_part(play, monkeypatch):
    rendered = []

    class Counting(render.Document):
        def __init__(self, markup):
            rendered.append(len(markup))
            super().__init__(markup)

    monkeypatch.setattr(render, "Document", Counting)
    text = "```\n" + f"{'word ' * 10}\n" * 400 + "```\n"
    play(*pieces(text, [50] * (len(text) // 50)), columns=60, rows=10)
    assert rendered.count(len(text)) == 1
    assert max(size for size in rendered if size != len(text)) < 1000


def test_raw_answers_keep_their_marks_and_their_long_lines(play):
    text = f"# Head\n\n- *one* {'x' * 60}\n"
    end = play(*pieces(text, [3, 20]), columns=40, markdown=False)
    assert end == ["", "🐈 nanobot", "# Head", "", "- *one* " + "x" * 32, "x" * 28]


def test_reasoning_and_tools_stand_apart_from_the_answer(play):
    finished = ToolFinished(call=CALL, result=ToolResult.ok("x"), seconds=0.5)
    failed = ToolFinished(call=CALL, result=ToolResult.error("timeout", "late"), seconds=2)
    seen = []
    end = play(
        ReasoningDelta(text="Let me "),
        ReasoningDelta(text="see.\nYes."),
        STARTED,
        finished,
        STARTED,
        failed,
        TextDelta(text="Done."),
        DONE,
        watch=seen.append,
    )
    assert seen[2][-1].endswith("read_file path=notes.md")
    assert seen[3][-1].endswith("nanobot is thinking…")
    assert end == [
        *("", "🐈 nanobot", "Let me see.", "Yes.", ""),
        "✓ read_file path=notes.md (0.5 s)",
        "✗ read_file path=notes.md (2.0 s) timeout",
        *("", "Done."),
    ]


def test_several_tools_run_at_once(play):
    other = ToolCall(id="2", name="fetch", arguments="{}")
    seen = []
    play(STARTED, ToolStarted(call=other, arguments={}), watch=seen.append)
    assert [line[2:] for line in seen[1][-2:]] == ["read_file path=notes.md", "fetch"]


def test_a_notice_in_the_middle_cuts_nothing_off(play):
    end = play(TextDelta(text="Half"), Notice(kind="retry", text="Again."), TextDelta(text="Whole"))
    assert end == ["", "🐈 nanobot", "Half", "", "Again.", "", "Whole"]


def test_an_answer_that_did_not_come_in_pieces_is_shown(play):
    reply = TurnFinished(content="**Help**", stop_reason=StopReason.COMMAND)
    assert play(reply) == ["", "🐈 nanobot", "Help"]


def test_an_error_is_red_and_its_remedy_stands_below(make_window, make_view):
    window = make_window()
    make_view(window).fail("No key.\nSet DEMO_KEY.")
    assert window.lines() == ["No key.", "Set DEMO_KEY."]
    assert window.screen.buffer[0][0].fg == "red"
    assert window.screen.buffer[1][0].fg == "default"


def test_a_turn_that_ends_early_says_why(play):
    event = TurnFinished(content="", stop_reason=StopReason.TIME_LIMIT)
    assert play(TextDelta(text="So"), event)[-1].startswith("Stopped: the time limit")


def test_without_drawing_only_finished_blocks_appear(play):
    seen = []
    end = play(*pieces("One\n\ntwo", [6]), live=False, watch=seen.append)
    assert seen[0] == []
    assert end == ["", "🐈 nanobot", "One", "", "two"]


def test_the_title_can_not_drive_the_terminal(make_window, make_view):
    window = make_window()
    view = make_view(window)
    view.note("a\x1b[2Jb")
    view.warn("c\x1b[2Jd")
    assert window.lines() == ["a[2Jb", "", "c[2Jd"]


def test_the_cursor_is_back_after_a_turn_that_broke(make_window, make_view):
    window = make_window()
    view = make_view(window)

    async def go():
        async with view.turn():
            view.show(TextDelta(text="Half an ans"))
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        run(go())
    assert window.lines() == ["", "🐈 nanobot", "Half an ans"]
    assert not window.screen.cursor.hidden
