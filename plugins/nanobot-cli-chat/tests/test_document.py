"""Markdown in a terminal hides nothing and breaks on nothing."""

import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nanobot_cli_chat.document import THEME, Document
from nanobot_cli_chat.sanitize import clean
from rich.console import Console


def draw(text, width=60, color="standard"):
    """Return what is printed for some markdown."""
    file = io.StringIO()
    console = Console(
        file=file, force_terminal=True, width=width, theme=THEME, color_system=color, no_color=False
    )
    console.print(Document(text))
    return file.getvalue()


def plain(text, width=60):
    return re.sub(r"\x1b\[[\d;]*m", "", draw(text, width))


PIECES = [
    *("\n", "\n\n", "- ", "1. ", "10) ", "```", "```py\n", "~~~", "    ", " ", "\t", "> ", "# "),
    *("a", "foo bar", "\n|a|b|\n|-|-|\n", "\n|||\n|-|-|\n", "|", "---", "**", "*", "~~", "`"),
    *("[a](b)", "[", "](x)", "![x](y)", "<b>", "&#0;", "&#27;", "&#x202e;", "漢字", "\u200b", "\\"),
]


@settings(max_examples=60)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), st.integers(1, 60))
def test_anything_can_be_drawn_at_any_width_without_a_control_sequence(text, width):
    drawn = re.sub(r"\x1b\[[\d;]*m", "", draw(clean(text), width))
    assert clean(drawn) == drawn


@pytest.mark.parametrize("width", [20, 40, 80])
def test_no_word_gets_lost(width):
    text = (
        "# w01 w02\n\nw03 *w04* `w05` [w06](http://w07) ![w08](http://w09) <w10> <http://w11>\n"
        "w12\n\n- w13\n  - w14\n\n    w15\n\n1. w16\n\n> w17\n> - w18\n\n| w19 | w20 |\n|--|--|\n"
        "| w21 | w22 [w23](http://w24) |\n\n```py\nw25 = 'w26'\n```\n\n    w27\n\n"
        "<div>w28</div>\n\n[w29]: http://w30\n\n~~w31~~ ![w32][w33] &amp; w34"
    )
    drawn = plain(text, width)
    assert [word for word in re.findall(r"w\d\d", text) if word not in drawn] == []
    assert max(map(len, drawn.splitlines())) <= width


def test_line_breaks_are_kept():
    assert plain("Roses are red\nviolets are blue") == "Roses are red\nviolets are blue\n"


def test_code_can_be_copied_and_run():
    assert plain("Do:\n\n```py\nif x:\n    go()\n```\n\nThen") == (
        "Do:\n\nif x:\n    go()\n\nThen\n"
    )


def test_code_is_coloured_with_the_palette_of_the_terminal():
    drawn = draw("```py\ndef f(): pass\n```", color="truecolor")
    assert "\x1b[94mdef" in drawn
    assert "48;" not in drawn


def test_a_link_shows_where_it_leads():
    drawn = draw("[bank](http://evil.example/)")
    assert "http://evil.example/" in drawn
    assert "\x1b]8" not in drawn


def test_an_entity_can_not_smuggle_in_what_is_cleaned_elsewhere():
    assert plain("a&#x202e;b &#x1b;[2J") == "a\\u202eb \ufffd[2J\n"


def test_no_line_is_filled_up_with_blanks():
    text = "# A\n\ntext\n\n- b\n\n> c\n\n|d|e|\n|-|-|\n|f|g|\n\n```py\nh = 1\n```"
    assert [line for line in plain(text).splitlines() if line != line.rstrip()] == []
