"""A change that was made for another content is noticed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from nanobot_testing import load_spec, open_spec, run


def view_in(text: str) -> str:
    found = re.search(r"\[view (\w+)\]", text)
    assert found
    return found[1]


def test_a_view_names_the_content(workspace: Path, call: Any) -> None:
    (workspace / "a.txt").write_text("one\n" * 5_000)
    first = view_in(call("read_file", path="a.txt").text)
    assert view_in(call("read_file", path="./a.txt", offset=4_000).text) == first
    (workspace / "a.txt").write_text("one\n" * 4_999 + "two\n")
    assert view_in(call("read_file", path="a.txt").text) != first


def test_a_stale_view_is_refused_by_every_tool(workspace: Path, call: Any) -> None:
    """Also after a restart: each call here opens the tools anew."""
    path = workspace / "a.txt"
    path.write_text("one\n")
    view = view_in(call("read_file", path="a.txt").text)
    path.write_text("one\nmore\n")
    edit = {"path": "a.txt", "old_text": "one", "new_text": "two", "view": view}
    for name, arguments in (
        ("write_file", {"path": "a.txt", "content": "two\n", "view": view}),
        ("edit_file", edit),
        ("apply_patch", {"edits": [edit]}),
    ):
        result = call(name, **arguments)
        assert result.kind == "stale", result.text
        assert "Read it again" in result.text
        assert path.read_text() == "one\nmore\n"
    fresh = view_in(call("read_file", path="a.txt").text)
    result = call("edit_file", **{**edit, "view": fresh})
    assert result.text.startswith("Successfully edited"), "a known view needs no warning"


def test_the_same_content_is_never_stale(workspace: Path, call: Any) -> None:
    """A call that is repeated after a crash, because nobody knows whether it had ended."""
    (workspace / "a.txt").write_text("one\n")
    view = view_in(call("read_file", path="a.txt").text)
    for _ in range(2):
        assert not call("write_file", path="a.txt", content="two\n", view=view).is_error


def test_a_file_is_not_replaced_unseen(workspace: Path, tmp_path: Path, call: Any) -> None:
    path = workspace / "a.txt"
    path.write_text("one\n")

    async def work() -> None:
        async with open_spec(load_spec("tools.files"), {}, tmp_path) as tool:

            async def once(name: str, **arguments: Any) -> Any:
                return await call.once(tool, name, {"path": "a.txt", **arguments}, call.turn)

            await once("read_file")
            path.write_text("theirs\n")
            assert (await once("write_file", content="two\n")).kind == "stale"
            assert path.read_text() == "theirs\n"
            await once("read_file")
            assert not (await once("write_file", content="two\n")).is_error
            assert not (await once("write_file", content="three\n")).is_error
            path.touch()  # the time says nothing
            assert (await once("edit_file", old_text="three", new_text="four")).text.startswith("S")

    run(work())
    assert path.read_text() == "four\n"
