"""The matching ladder of edit_file, for any text."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from nanobot_tool_files.matching import find, replacement

TEXT = st.text(alphabet="ab \t\n\"'“”‘’é", max_size=40)
OLD = st.text(alphabet="ab \t\n\"'“”‘’é", min_size=1, max_size=8)


@given(text=TEXT, old=OLD)
def test_matches_are_in_order_and_apart(text: str, old: str) -> None:
    matches = find(text, old)
    assert (old in text) <= bool(matches and all(match.exact for match in matches))
    for match, following in pairwise(matches):
        assert match.end <= following.start
    for match in matches:
        assert text.count("\n", 0, match.start) == match.line - 1
        assert not match.exact or text[match.start : match.end] == old


@given(text=TEXT, old=OLD, new=TEXT)
def test_an_exact_match_is_replaced_by_the_very_text(text: str, old: str, new: str) -> None:
    for match in find(text, old):
        if match.exact:
            assert replacement(text, match, old, new) == new


@given(before=TEXT, old=OLD, after=TEXT)
def test_what_is_there_is_found(before: str, old: str, after: str) -> None:
    assert find(before + old + after, old)[0].exact
