"""How events are put into words."""

import pytest
from nanobot.events import ToolFinished, TurnFinished
from nanobot.log import remember_secret
from nanobot.messages import StopReason, ToolCall, ToolResult
from nanobot_cli_chat.wording import call_label, call_line, ending, unsaid

CALL = ToolCall(id="1", name="exec", arguments='{"command": "ls"}')


def test_a_call_shows_its_arguments_on_one_line():
    label = call_label(CALL, {"command": "ls\n-la", "timeout": 5, "env": {"A": 1}})
    assert label == 'exec command=ls -la, timeout=5, env={"A": 1}'


def test_long_arguments_are_cut_to_forty_characters():
    label = call_label(CALL, {"content": "x" * 1_000_000})
    assert label == f"exec content={'x' * 31}…"


def test_a_call_whose_arguments_could_not_be_read_shows_what_the_model_wrote():
    call = ToolCall(id="1", name="exec", arguments='{"command": "l')
    assert call_label(call, {}) == 'exec "command": "l'


def test_secrets_are_masked_before_the_cut():
    remember_secret("correct-horse-battery-staple")
    label = call_label(CALL, {"command": "login --as me correct-horse-battery-staple"})
    assert "correct-horse" not in label
    assert "***" in label
    key = "sk-" + "CANARY" * 5
    assert "CANARY" not in call_label(CALL, {"url": f"http://h/?q={key}"})
    assert "CANARY" not in call_label(CALL, {"headers": {"Authorization": f"Bearer {key}"}})


def test_control_characters_in_a_name_or_argument_are_dropped():
    call = ToolCall(id="1", name="ex\x1b[2Jec", arguments="{}")
    assert call_label(call, {"a": "\x1b]0;t\x07b"}) == "ex[2Jec a=]0;tb"


def test_a_finished_call_tells_how_it_went():
    good = ToolFinished(call=CALL, result=ToolResult.ok("x"), seconds=1.26)
    bad = ToolFinished(call=CALL, result=ToolResult.error("timeout", "late"), seconds=120)
    assert call_line("exec ls", good) == "✓ exec ls (1.3 s)"
    assert call_line("exec ls", bad) == "✗ exec ls (120.0 s) timeout"


@pytest.mark.parametrize("reason", list(StopReason))
def test_every_early_end_is_explained(reason):
    event = TurnFinished(content="", stop_reason=reason)
    quiet = {StopReason.COMPLETED, StopReason.COMMAND, StopReason.ERROR}
    assert bool(ending(event)) == (reason not in quiet)


def test_an_error_needs_no_other_explanation():
    event = TurnFinished(content="", stop_reason=StopReason.TIME_LIMIT, error="Too slow.")
    assert ending(event) == ""


def test_an_answer_that_was_not_streamed_is_still_to_be_said():
    event = TurnFinished(content="Three commands.\n", stop_reason=StopReason.COMMAND)
    assert unsaid(event, "") == "Three commands."
    assert unsaid(event, "Look: Three commands.") == ""
