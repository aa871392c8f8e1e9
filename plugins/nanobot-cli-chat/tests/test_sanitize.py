"""Nothing that a model says reaches the terminal as a command."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from nanobot_cli_chat.sanitize import clean, one_line

anything = st.text(st.characters(codec=None))


@given(anything)
def test_no_control_character_is_left(text):
    for character in clean(text):
        assert unicodedata.category(character) not in {"Cc", "Cs"} or character in "\n\t"
        assert unicodedata.bidirectional(character) not in {
            *("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        }


@given(anything, anything)
def test_pieces_of_a_stream_can_be_cleaned_one_at_a_time(one, other):
    assert clean(one) + clean(other) == clean(one + other)
    assert clean(clean(one)) == clean(one)


@given(st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs"))))
def test_harmless_text_stays_as_it_is(text):
    assert clean(text) == text


def test_an_escape_sequence_becomes_its_harmless_rest():
    assert clean("a\x1b[31mb\x9b2Jc\x07\r\n") == "a[31mb2Jc\n"


def test_text_that_would_run_backwards_is_shown_as_it_is_written():
    assert clean("user\u202egnp.exe") == "user\\u202egnp.exe"


def test_joined_emoji_and_right_to_left_marks_survive():
    assert clean("👩\u200d🚀 \u200fשלום") == "👩\u200d🚀 \u200fשלום"


def test_half_a_surrogate_pair_can_be_written():
    assert clean("a\ud83d").encode() == "a\ufffd".encode()


@given(anything, st.integers(2, 60))
def test_one_line_is_one_line_and_not_longer_than_asked(text, limit):
    line = one_line(text, limit)
    assert "\n" not in line
    assert len(line) <= limit
