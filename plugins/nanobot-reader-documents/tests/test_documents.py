"""What documents are shown as."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from nanobot.context import Extension
from nanobot.tool import ToolRequest
from nanobot_testing import load_spec, make_context, make_turn, open_spec, run
from nanobot_tool_files.config import FilesConfig
from nanobot_tool_files.tool import open_tool


def test_pdf_pages(build: Any, read: Any) -> None:
    data = build.pdf(*(f"text {n}" for n in range(1, 46)))
    first = read("a.pdf", data)
    assert first.text.startswith("--- Page 1 ---\ntext 1\n--- Page 2 ---\n")
    assert first.text.endswith("--- Page 20 ---\ntext 20\n")
    assert first.note == "(Pages 1-20 of 45. Use pages='21-40' to go on.)"
    last = read("a.pdf", data, "41-99")
    assert last.text.startswith("--- Page 41 ---\ntext 41\n")
    assert last.note == "(Pages 41-45 of 45.)"
    assert read("a.pdf", data, "7").text == "--- Page 7 ---\ntext 7\n"
    assert read("a.pdf", data, "46").kind == "out_of_range"
    assert "1 to 45" in read("a.pdf", data, "5-3").message
    assert read("a.pdf", data, "last").kind == "bad_argument"


def test_word_in_the_order_of_the_document(build: Any, read: Any) -> None:
    assert read("a.docx", build.docx()).text.split("\n") == [
        "# The title",
        "First words.",
        "c0\tc1\tc2  | inner",
        "merged\tc5",
        "Last words.",
        "",
    ]


def test_sheets(build: Any, read: Any) -> None:
    everything = read("a.xlsx", build.xlsx())
    assert everything.text.split("\n") == [
        "--- Sheet: Sums ---",
        "name\tamount",
        "tea\t3.5",
        "\t=SUM(B2:B3)",
        "--- Sheet: Empty ---",
        "--- Sheet: Other ---",
        "\t\tfar away",
        "",
    ]
    assert everything.note == ""
    for pages in ("Other", "3"):
        one = read("a.xlsx", build.xlsx(), pages)
        assert one.text == "--- Sheet: Other ---\n\t\tfar away\n"
        assert one.note == "(Sheets: Sums, Empty, Other. Name one in pages.)"


def test_slides(build: Any, read: Any) -> None:
    text = read("a.pptx", build.pptx()).text
    assert text.split("\n")[:4] == [
        "--- Slide 1 ---",
        "Slide title 1",
        "left\tright",
        "[notes] say 1",
    ]
    assert read("a.pptx", build.pptx(), "2").text.startswith("--- Slide 2 ---\nSlide title 2")


def test_through_read_file(build: Any, tmp_path: Path) -> None:
    """The way a user meets it: numbered lines, a view, pages, and nothing twice."""
    workspace = tmp_path / "ws"
    workspace.mkdir()
    (workspace / "Report.PDF").write_bytes(build.pdf("one", "two"))
    (workspace / "blank.pdf").write_bytes(build.pdf(""))
    spec = load_spec("reader.documents")

    async def go() -> list[Any]:
        files = load_spec("tools.files")
        extension = Extension(spec=spec, open=lambda: open_spec(spec, {}, tmp_path))
        context = replace(
            make_context(files, tmp_path), extensions=lambda kind: {"documents": extension}
        )
        answers = []
        async with open_tool(FilesConfig(), context) as tool:
            for arguments in (
                {"path": "Report.PDF"},
                {"path": "Report.PDF"},
                {"path": "Report.PDF", "pages": "2"},
                {"path": "Report.PDF", "offset": 4, "limit": 1},
                {"path": "blank.pdf"},
            ):
                request = ToolRequest(name="read_file", arguments=arguments)
                answers.append((await tool.call(request, make_turn(workspace))).text)
        return answers

    whole, again, second, line, blank = run(go())
    assert whole.startswith("1| --- Page 1 ---\n2| one\n3| --- Page 2 ---\n4| two\n\n[view ")
    assert whole.endswith("(End of file — 4 lines total)")
    assert again.startswith("[File unchanged since last read")
    assert "(Page 2 of 2.)" in second and second.startswith("1| --- Page 2 ---\n2| two\n")
    assert line.startswith("4| two\n")
    assert blank.startswith("1| --- Page 1 ---")


def test_too_large_is_not_even_looked_at(build: Any, read: Any) -> None:
    refusal = read("a.pdf", build.pdf("x") + b" " * (2 << 20), maxMegabytes=1)
    assert refusal.kind == "too_large"
    assert "reader.documents.maxMegabytes" in refusal.message
