"""Long answers are cut where a reader would cut them, and nothing of them is lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nanobot_gateway.splitting import length, split
from wcwidth import iter_graphemes

TEXT = st.text(st.sampled_from("abc .\n`~#é👨‍👩‍👧🇩🇪e\u0301中"), max_size=400)


def bare(text: str) -> str:
    """Return what must survive: everything but blanks and fences."""
    return re.sub(r"[\s`~]", "", text)


@given(TEXT, st.integers(24, 90), st.sampled_from(["characters", "utf16", "bytes"]))
def test_pieces_fit_and_hold_everything(text: str, limit: int, unit: str) -> None:
    pieces = split(text, limit, unit)
    assert all(length(piece, unit) <= limit for piece in pieces)
    assert bare("".join(pieces)) == bare(text)


@given(TEXT, st.integers(40, 90))
def test_no_grapheme_is_cut(text: str, limit: int) -> None:
    whole = set(iter_graphemes(text))
    for piece in split(text, limit):
        assert set(iter_graphemes(piece)) - set("`~\n") <= whole | set(piece) & set(text)


def test_short_texts_stay_whole() -> None:
    assert split("short", 100) == ["short"] and split("any length", 0) == ["any length"]


@pytest.mark.parametrize("fence", ["```", "~~~~"])
def test_a_code_block_is_closed_and_opened_again(fence: str) -> None:
    text = f"Intro.\n\n{fence}python\n" + "x = 1\n" * 40 + f"{fence}\n\nThe end."
    pieces = split(text, 120)
    assert len(pieces) > 2
    for piece in pieces:
        fences = re.findall(rf"^{re.escape(fence)}", piece, re.MULTILINE)
        assert len(fences) % 2 == 0, piece
    assert pieces[1].startswith(f"{fence}python\n")
    assert pieces[-1].endswith("The end.")


def test_paragraphs_are_kept_together() -> None:
    text = "one " * 20 + "\n\n" + "two " * 20
    assert split(text, 100) == [("one " * 20).strip(), "two " * 20]


def test_one_long_word_is_cut_hard() -> None:
    assert split("x" * 250, 100) == ["x" * 100, "x" * 100, "x" * 50]
