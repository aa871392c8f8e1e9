"""The line editor, driven by keys."""

import stat
from pathlib import Path

import pytest
from nanobot_cli_chat.input import PrivateHistory, PromptReader, SlashCompleter
from nanobot_testing import run
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

ENTER, ALT_ENTER, SHIFT_ENTER, CTRL_C, CTRL_D = "\r", "\x1b\r", "\x1b[13;2u", "\x03", "\x04"


@pytest.fixture
def type_keys(scripted):
    """Type keys and return the messages that they make; None stands for leaving."""

    def type_keys(keys, messages=1, history=None):
        async def go():
            with create_pipe_input() as source:
                reader = PromptReader(
                    history or InMemoryHistory(),
                    scripted.COMMANDS,
                    source=source,
                    screen=DummyOutput(),
                )
                source.send_text(keys)
                return [await reader.read() for _ in range(messages)]

        return run(go())

    return type_keys


def test_enter_sends(type_keys):
    assert type_keys(f"hello{ENTER}") == ["hello"]


@pytest.mark.parametrize("key", [ALT_ENTER, SHIFT_ENTER])
def test_a_new_line_can_be_started(type_keys, key):
    assert type_keys(f"one{key}two{ENTER}") == ["one\ntwo"]


def test_pasted_lines_stay_one_message(type_keys):
    assert type_keys(f"\x1b[200~one\r\ntwo\nthree\x1b[201~{ENTER}") == ["one\ntwo\nthree"]


def test_ctrl_d_leaves(type_keys):
    assert type_keys(CTRL_D) == [None]


def test_ctrl_c_clears_the_line(type_keys):
    assert type_keys(f"wrong{CTRL_C}right{ENTER}") == ["right"]


def test_ctrl_c_twice_leaves(type_keys):
    assert type_keys(CTRL_C * 2) == [None]
    assert type_keys(f"text{CTRL_C}{CTRL_C}") == [None]


def test_ctrl_c_with_text_between_does_not_leave(type_keys):
    assert type_keys(f"{CTRL_C}a{CTRL_C}b{ENTER}") == ["b"]
    assert type_keys(f"{CTRL_C}a{ENTER}{CTRL_C}b{ENTER}", messages=2) == ["a", "b"]


def offers(scripted, typed):
    completer = SlashCompleter(scripted.COMMANDS)
    return list(completer.get_completions(Document(typed), CompleteEvent()))


def test_slash_commands_are_completed_with_their_description(scripted):
    [offer] = offers(scripted, "/DR")
    assert offer.text == "/dream-log "
    assert offer.start_position == -3
    assert offer.display_text == "/dream-log [sha]"
    assert offer.display_meta_text == "Show changes."


def test_all_commands_are_offered_for_a_slash(scripted):
    texts = [offer.text.strip() for offer in offers(scripted, "/")]
    assert texts == ["/dream-log", "/exit", "/help", "/model"]


@pytest.mark.parametrize("typed", ["", "dr", "see /dr", "/dream-log x", " /"])
def test_nothing_else_is_completed(scripted, typed):
    assert offers(scripted, typed) == []


def test_history_is_kept_for_its_owner_alone(tmp_path, type_keys):
    path = tmp_path / "data" / "history" / "chat_history"
    type_keys(f"one{ALT_ENTER}two{ENTER}", history=PrivateHistory(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(PrivateHistory(path).load_history_strings()) == ["one\ntwo"]


def test_a_history_that_others_could_read_is_closed_to_them(tmp_path):
    path = tmp_path / "chat_history"
    path.write_text("\n# then\n+old\n")
    path.chmod(0o644)
    assert list(PrivateHistory(path).load_history_strings()) == ["old"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_half_a_surrogate_pair_does_not_break_the_history(tmp_path):
    path = tmp_path / "chat_history"
    PrivateHistory(path).store_string("a\ud83db")
    assert list(PrivateHistory(path).load_history_strings()) == ["a?b"]


def test_a_full_disk_does_not_cost_the_message(tmp_path, type_keys):
    history = PrivateHistory(tmp_path / "chat_history")
    Path(history.filename).unlink()
    Path(history.filename).mkdir()
    assert type_keys(f"hello{ENTER}", history=history) == ["hello"]
