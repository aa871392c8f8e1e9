"""read_file."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest
from nanobot.messages import Image, Text, Trust
from nanobot_testing import load_spec, make_turn, open_spec, run

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def test_lines_are_numbered(workspace: Path, call: Any) -> None:
    (workspace / "a.txt").write_text("one\ntwo\n\nfour")
    assert call("read_file", path="a.txt").text == (
        "1| one\n2| two\n3| \n4| four\n\n[view 87c3c9528e] (End of file — 4 lines total)"
    )


def test_pages(workspace: Path, call: Any) -> None:
    (workspace / "a.txt").write_text("".join(f"line {n}\n" for n in range(1, 11)))
    assert call("read_file", path="a.txt", offset=3, limit=2).text == (
        "3| line 3\n4| line 4\n\n"
        "[view e71d970d34] (Showing lines 3-4 of 10. Use offset=5 to continue.)"
    )
    last = call("read_file", path="a.txt", offset=10)
    assert last.text == "10| line 10\n\n[view e71d970d34] (End of file — 10 lines total)"


def test_default_page_is_2000_lines(workspace: Path, call: Any) -> None:
    (workspace / "a.txt").write_text("x\n" * 2001)
    text = call("read_file", path="a.txt").text
    assert text.endswith("(Showing lines 1-2000 of 2001. Use offset=2001 to continue.)")


def test_offset_beyond_the_end(workspace: Path, call: Any) -> None:
    (workspace / "a.txt").write_text("one\ntwo\n")
    result = call("read_file", path="a.txt", offset=3)
    assert result.kind == "out_of_range"
    assert "2 lines" in result.text


@pytest.mark.parametrize(
    ("args", "kind"),
    [
        ({"offset": 0}, "bad_argument"),
        ({"limit": -1}, "bad_argument"),
        ({"offset": True}, "bad_argument"),
        ({"path": 7}, "bad_argument"),
        ({"path": "missing.txt"}, "not_found"),
        ({"path": "."}, "not_a_file"),
        ({"path": "../x"}, "outside_workspace"),
        ({"path": "a\0b"}, "bad_path"),
    ],
)
def test_refusals(workspace: Path, call: Any, args: dict[str, Any], kind: str) -> None:
    (workspace / "a.txt").write_text("one\n")
    assert call("read_file", **{"path": "a.txt", **args}).kind == kind


def test_a_name_that_is_nearly_right_is_suggested(workspace: Path, call: Any) -> None:
    (workspace / "sub").mkdir()
    (workspace / "sub" / "README.md").write_text("x")
    assert "'sub/README.md'" in call("read_file", path="sub/REDME.md").text


def test_empty_file(workspace: Path, call: Any) -> None:
    (workspace / "a.txt").touch()
    assert call("read_file", path="a.txt").text == "(Empty file: a.txt)"


def test_line_ends_and_byte_order_mark_do_not_show(workspace: Path, call: Any) -> None:
    (workspace / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    assert call("read_file", path="a.txt").text.startswith("1| one\n2| two\n\n")


def test_latin_1_in_a_text_type(workspace: Path, call: Any) -> None:
    (workspace / "a.txt").write_bytes("über\n".encode("latin-1"))
    (workspace / "a.bin").write_bytes("über\n".encode("latin-1"))
    assert call("read_file", path="a.txt").text.startswith("1| über")
    assert call("read_file", path="a.bin").kind == "binary"


def test_binary_is_refused_with_its_type(workspace: Path, call: Any) -> None:
    (workspace / "a.zip").write_bytes(b"PK\x03\x04\x00\x00")
    result = call("read_file", path="a.zip")
    assert result.kind == "binary"
    assert "application/zip" in result.text


def test_huge_sparse_file_is_refused_unread(workspace: Path, call: Any) -> None:
    with (workspace / "huge.txt").open("wb") as file:
        file.truncate(5 << 30)
    assert call("read_file", path="huge.txt").kind == "too_large"


def test_a_page_ends_before_128000_characters(workspace: Path, call: Any) -> None:
    (workspace / "a.txt").write_text(f"{'x' * 999}\n" * 500)
    text = call("read_file", path="a.txt").text
    assert len(text) < 129_000
    assert "(Showing lines 1-127 of 500. Use offset=128 to continue.)" in text
    following = call("read_file", path="a.txt", offset=128).text
    assert following.startswith("128| x")


def test_a_line_longer_than_a_page_is_cut(workspace: Path, call: Any) -> None:
    (workspace / "a.txt").write_bytes("é".encode() * 400_000 + b"\nnext\n")
    text = call("read_file", path="a.txt").text
    assert len(text) < 129_000
    assert "(Line 1 is cut" in text
    assert "lines 1-1 of 2" in text
    assert call("read_file", path="a.txt", offset=2).text.startswith("2| next")


def test_images_are_shown(workspace: Path, call: Any) -> None:
    (workspace / "dot.dat").write_bytes(PNG)
    note, picture = call("read_file", path="dot.dat").parts
    assert isinstance(note, Text)
    assert isinstance(picture, Image)
    assert (picture.media_type, picture.data, picture.name) == ("image/png", PNG, "dot.dat")


def test_large_images_are_refused(workspace: Path, call: Any) -> None:
    (workspace / "big.png").write_bytes(PNG + b"\0" * (5 << 20))
    assert call("read_file", path="big.png").kind == "too_large"


def test_an_animation_without_end_is_refused(workspace: Path, call: Any) -> None:
    frame = b"\x21\xf9\x04\0\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0"
    head = b"GIF89a\1\0\1\0\x80\0\0" + b"\0" * 6
    for frames, kind in ((3, ""), (100_000, "too_large")):
        (workspace / "a.gif").write_bytes(head + frame * frames + b";")
        assert call("read_file", path="a.gif").kind == kind


def test_a_document_without_a_reader_says_what_to_install(workspace: Path, call: Any) -> None:
    (workspace / "a.pdf").write_bytes(b"%PDF-1.4 looks like text")
    result = call("read_file", path="a.pdf")
    assert result.kind == "binary"
    assert "pip install nanobot-reader-documents" in result.text


def test_unchanged_lines_are_not_repeated(workspace: Path, call: Any) -> None:
    (workspace / "a.txt").write_text("one\ntwo\n")
    whole = {"path": "a.txt"}
    first, again, other_page, forced = call.many(
        ("read_file", whole),
        ("read_file", {"path": "./a.txt"}),
        ("read_file", {"path": "a.txt", "offset": 2}),
        ("read_file", {**whole, "force": True}),
    )
    assert again.text.startswith("[File unchanged since last read: ./a.txt")
    assert other_page.text.startswith("2| two")
    assert forced == first


def test_changed_lines_are_repeated(workspace: Path, call: Any) -> None:
    (workspace / "a.txt").write_text("one\n")
    _, _, changed = call.many(
        ("read_file", {"path": "a.txt"}),
        ("edit_file", {"path": "a.txt", "old_text": "one", "new_text": "two"}),
        ("read_file", {"path": "a.txt"}),
    )
    assert changed.text.startswith("1| two")


def test_what_one_session_read_another_has_not(workspace: Path, call: Any, tmp_path: Path) -> None:
    (workspace / "a.txt").write_text("one\n")

    turns = [make_turn(workspace, user=user) for user in ("alice", "bob")]

    async def read_by_both() -> list[str]:
        async with open_spec(load_spec("tools.files"), {}, tmp_path) as tool:
            return [
                (await call.once(tool, "read_file", {"path": "a.txt"}, turn)).text for turn in turns
            ]

    alice, bob = run(read_by_both())
    assert alice == bob
    assert bob.startswith("1| one")


def test_outside_content_is_marked(workspace: Path, tmp_path: Path, open_call: Any) -> None:
    (workspace / "in.txt").write_text("in")
    (tmp_path / "out.txt").write_text("out")
    os.symlink(tmp_path / "out.txt", workspace / "link.txt")
    marks = {
        path: open_call("read_file", path=path).parts[0].trust
        for path in ("in.txt", "../out.txt", "link.txt", str(workspace / "in.txt"))
    }
    assert marks == {
        "in.txt": Trust.TRUSTED,
        "../out.txt": Trust.UNTRUSTED,
        "link.txt": Trust.UNTRUSTED,
        str(workspace / "in.txt"): Trust.TRUSTED,
    }
