"""Streams are cut into blocks at the right places, whatever the chunks."""

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from nanobot_cli_chat.markdown import BlockSplitter, LineSplitter

LINES = [
    *("", "", "text", "more text", "# head", "---", "===", "***", "> quote", "> ```"),
    *("- item", "* other", "1. one", "10) ten", "  nested", "   - deep", "+ \tx"),
    *("    code", "\tcode", "```", "```py", "~~~~", "`` a ```", "|a|b|", "|-|-|"),
    *("- item\n  ```\n  code\n\n  more\n  ```", "1. item\n\n   ~~~py\n   code\n   ~~~"),
]
documents = st.lists(st.sampled_from(LINES), max_size=14).map("\n".join)
wild = st.text(st.sampled_from("-*+#>`~|1. \t\nab"), max_size=60)
texts = documents | wild | st.text()
PARSER = MarkdownIt("commonmark", {"html": False}).enable("table").disable("reference")


def split(text, splitter=BlockSplitter, chunks=()):
    """Return the pieces of a text that comes in chunks of the given sizes."""
    made = splitter()
    pieces = []
    for size in chunks:
        pieces += made.feed(text[:size])
        text = text[size:]
    return pieces + made.feed(text) + made.finish()


@given(texts)
def test_the_pieces_together_are_the_text(text):
    assert "".join(split(text)) == text
    assert "".join(split(text, LineSplitter)) == text


@given(texts, st.lists(st.integers(0, 9)))
def test_chunks_make_no_difference(text, chunks):
    assert split(text, chunks=chunks) == split(text)
    assert split(text, LineSplitter, chunks) == split(text, LineSplitter)


@given(documents)
@example("text\n\n    code\n\n\n    code\ntext")
@example("- a\n\n  b\n\n- c\n\nd")
@example("```\n\n# no head\n\n```\nafter")
@example("- \n\n  ```\n```")
def test_a_cut_is_made_only_where_a_parser_sees_a_boundary(text):
    tokens = PARSER.parse(text)
    blocks = [token.map for token in tokens if token.level == 0 and token.map]
    items = {token.map[0] for token in tokens if token.type == "list_item_open"}
    lines = text.split("\n")
    cut = 0
    for piece in split(text)[:-1]:
        cut += piece.count("\n")
        inside = [
            (start, end)
            for start, end in blocks
            if start < cut < end and any(line.strip() for line in lines[cut:end])
        ]
        assert not inside or cut in items


def test_blocks_are_finished_as_soon_as_the_next_one_begins():
    splitter = BlockSplitter()
    assert splitter.feed("# Head\n\nFirst\n") == ["# Head\n\n"]
    assert splitter.feed("\n```py\nx = 1\n") == ["First\n\n"]
    assert splitter.feed("\ny = 2\n```\n") == ["```py\nx = 1\n\ny = 2\n```\n"]
    assert splitter.feed("- a\n\n  more\n- b\n\n") == []
    assert splitter.feed("End") == []
    assert splitter.finish() == ["- a\n\n  more\n- b\n\n", "End"]


@given(texts, st.integers(1, 30), st.integers(1, 30))
def test_the_open_end_has_a_bounded_size(text, rows, columns):
    splitter = BlockSplitter()
    splitter.feed(text)
    tail = splitter.tail(rows, columns)
    longest = max(map(len, text.split("\n")), default=0) + 1
    assert len(tail) <= 2 * rows * columns + 2 * longest


@given(texts)
def test_the_open_end_of_a_small_block_is_all_of_it(text):
    splitter = BlockSplitter()
    finished = splitter.feed(text)
    assert "".join(finished) + splitter.tail(1000, 1000) == text


def test_the_end_of_a_long_fence_is_still_a_fence():
    splitter = BlockSplitter()
    splitter.feed("\n```py\n" + "".join(f"line {number}\n" for number in range(100)))
    assert splitter.tail(3, 10) == "```py\nline 97\nline 98\nline 99\n"


def test_the_end_of_a_long_table_keeps_its_head():
    splitter = BlockSplitter()
    splitter.feed("|k|v|\n|-|-|\n" + "".join(f"|{number}|x|\n" for number in range(100)))
    assert splitter.tail(2, 10) == "|k|v|\n|-|-|\n|98|x|\n|99|x|\n"


def test_of_a_long_line_only_the_end_is_kept_open():
    splitter = BlockSplitter()
    splitter.feed("start " + "x" * 5000)
    assert splitter.tail(4, 20) == "x" * 80
