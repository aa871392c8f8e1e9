"""Reasoning between tags in an answer."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nanobot_provider_compat.think import ThinkFilter


def split(*pieces: str) -> tuple[str, str]:
    """Return (answer, reasoning)."""
    out = {False: "", True: ""}
    filter_ = ThinkFilter()
    for piece in pieces:
        for is_reasoning, text in filter_.feed(piece):
            out[is_reasoning] += text
    for is_reasoning, text in filter_.flush():
        out[is_reasoning] += text
    return out[False], out[True]


@pytest.mark.parametrize(
    ("text", "answer", "reasoning"),
    [
        ("Hello.", "Hello.", ""),
        ("<think>I see.</think>Hello.", "Hello.", "I see."),
        ("<think>\nI see.\n</think>\n\nHello.", "Hello.", "I see.\n"),
        ("<thinking>a</thinking>b", "b", "a"),
        ("<thought>a</thought>b", "b", "a"),
        ("<THINK>a</Think>b", "b", "a"),
        ("One <think>two</think> three", "One  three", "two"),
        ("<think>a</think>b<think>c</think>d", "bd", "ac"),
        ("<think>never closed", "", "never closed"),
        ("leaked</think>Hello.", "leakedHello.", ""),
        ("</think>\nHello.", "Hello.", ""),
        ("Write `<think>` to think.", "Write `<think>` to think.", ""),
        ("<think>the tag `</think>` ends</think>ok", "ok", "the tag `</think>` ends"),
        ("a < b and <b>bold</b>", "a < b and <b>bold</b>", ""),
        ("ends with <thi", "ends with <thi", ""),
        ("<think></think>x", "x", ""),
        ("<think>a <think> b</think>c", "c", "a <think> b"),
        ("<thinker>x", "<thinker>x", ""),
        ("", "", ""),
    ],
)
def test_whole_and_letter_by_letter(text: str, answer: str, reasoning: str) -> None:
    assert split(text) == (answer, reasoning)
    assert split(*text) == (answer, reasoning)


WORDS = st.sampled_from(
    ["<think>", "</think>", "<", ">", "`", "think", "/", " ", "\n", "a", "<thi"]
)


@given(st.lists(WORDS, max_size=30).map("".join), st.data())
def test_any_cutting_gives_the_same(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)))))
    pieces = [text[a:b] for a, b in pairwise([0, *cuts, len(text)])]
    assert split(*pieces) == split(text)


@given(st.text(alphabet=st.characters(exclude_characters="<")))
def test_text_without_tags_is_untouched(text: str) -> None:
    assert split(*text) == (text, "")


def test_text_is_not_held_back_without_need() -> None:
    filter_ = ThinkFilter()
    assert list(filter_.feed("a < ")) == [(False, "a < ")]
    assert list(filter_.feed("b <")) == [(False, "b ")]
    assert list(filter_.feed("c")) == [(False, "<c")]
