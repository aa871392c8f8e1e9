"""Markdown as Telegram's HTML."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nanobot_channel_telegram.rendering import length, to_html, visible, whole


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("plain", "plain"),
        ("a < b & c > d", "a &lt; b &amp; c &gt; d"),
        ("<b>raw</b>", "&lt;b&gt;raw&lt;/b&gt;"),
        ("**bold** and __bold__", "<b>bold</b> and <b>bold</b>"),
        ("*it* and _it_", "<i>it</i> and <i>it</i>"),
        ("***both***", "<b><i>both</i></b>"),
        ("~~gone~~", "<s>gone</s>"),
        ("**a *b* c**", "<b>a <i>b</i> c</b>"),
        ("**a *b** c*", "<b>a *b</b> c*"),
        ("2 * 3 * 4 and snake_case_name", "2 * 3 * 4 and snake_case_name"),
        ("2*3*4", "2*3*4"),
        ("**open", "**open"),
        (r"\*not\* it", "*not* it"),
        ("`a < **b**`", "<code>a &lt; **b**</code>"),
        ("``a ` b``", "<code>a ` b</code>"),
        ("**`x`**", "<b><code>x</code></b>"),
        ("[a **b**](https://x.y/?a=1&b=2)", '<a href="https://x.y/?a=1&amp;b=2">a <b>b</b></a>'),
        ("[w](https://e.org/W_(x)_y)", '<a href="https://e.org/W_(x)_y">w</a>'),
        ('[t](https://e.org "title")', '<a href="https://e.org">t</a>'),
        ('[q](https://e.org/"onclick)', '<a href="https://e.org/&quot;onclick">q</a>'),
        ("[x](javascript:alert)", "x (javascript:alert)"),
        ("![pic](https://e.org/a.png)", '<a href="https://e.org/a.png">pic</a>'),
        (
            "https://e.org/a_b_c and **https://e.org**",
            "https://e.org/a_b_c and <b>https://e.org</b>",
        ),
        ("<https://e.org/_x_>", "https://e.org/_x_"),
        ("# Head *line*", "<b>Head <i>line</i></b>"),
        ("## A **bold** `__init__` #", "<b>A bold <code>__init__</code></b>"),
        ("#hashtag", "#hashtag"),
        ("- a\n* b\n  - c\n3. d", "• a\n• b\n  • c\n3. d"),
        ("- [x] done\n- [ ] open", "☑ done\n☐ open"),
        ("---", "─" * 12),
        ("> a\n> **b**\n\nc", "<blockquote>a\n<b>b</b></blockquote>\n\nc"),
        ("> a\n> > b", "<blockquote>a\n&gt; b</blockquote>"),
        ("a\n\n\n\nb", "a\n\nb"),
        (
            "```py\nif a < b:\n    *x*\n```",
            '<pre><code class="language-py">if a &lt; b:\n    *x*</code></pre>',
        ),
        ("~~~\n```\n~~~", "<pre>```</pre>"),
        ("````\n```\nx\n```\n````", "<pre>```\nx\n```</pre>"),
        ("- a\n  ```\n  x\n    y\n  ```", "• a\n<pre>x\n  y</pre>"),
        ('```a"><b>\nx\n```', '<pre><code class="language-a">x</code></pre>'),
        ("so far:\n```py\nx = 1", 'so far:\n<pre><code class="language-py">x = 1</code></pre>'),
        (
            "| a | b |\n|---|:-:|\n| **x** | 世界 |\n| long one | `c` |",
            "<pre>a         b\n────────  ────\nx         世界\nlong one  c</pre>",
        ),
        ("a | b\nno table", "a | b\nno table"),
        ("a *b\nc* d", "a <i>b\nc</i> d"),
        ("half \ud83d surrogate", "half \ufffd surrogate"),
    ],
)
def test_each_form(api: Any, markdown: str, html: str) -> None:
    assert to_html(markdown) == html
    api.Checked.read(html)


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet="*_~`[]()<>&|#-\\\n !.1a:/\x02\x03", max_size=120))
def test_whatever_is_written_telegram_accepts(api: Any, text: str) -> None:
    html = to_html(text)
    assert visible(html) == api.Checked.read(html)


@given(st.text(alphabet="abc <>&\"'é世👋", max_size=80))
def test_plain_words_are_shown_as_they_are(text: str) -> None:
    assert visible(to_html(f"x{text}x")) == f"x{text}x"


def test_lengths_are_counted_as_telegram_counts() -> None:
    assert [length(text) for text in ("a", "ä", "世", "👋", "")] == [1, 1, 1, 2, 0]


def test_halves_of_characters_are_joined() -> None:
    assert whole("\ud83d\udc4b") == "👋"


def test_a_growing_answer_is_well_formed_at_every_point(api: Any) -> None:
    text = (
        "# T\n\n**b** [l](https://e.org)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
        "> q `c`\n\n```py\nx < 1\n```\n- *i*"
    )
    for end in range(1, len(text) + 1):
        api.Checked.read(to_html(text[:end]))
