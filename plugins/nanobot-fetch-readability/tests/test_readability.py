"""What is read of pages, good and hostile."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import ToolError
from nanobot_fetch_readability import reader
from nanobot_fetch_readability.child import read
from nanobot_fetch_readability.reader import Readability
from nanobot_testing import run
from nanobot_tool_web.reader import Readout

ARTICLE = Path(__file__).parent / "pages" / "article.html"
URL = "https://example.org/a/b"


def readout(body: bytes, *, media_type: str = "text/html", **options: Any) -> Readout:
    async def go() -> Readout:
        return await Readability().read(URL, body=body, media_type=media_type, **options)

    return run(go())


def test_an_article_becomes_markdown() -> None:
    got = readout(ARTICLE.read_bytes())
    assert got.extractor == "readability"
    for piece in (
        "# Ships & lights",
        "## A table",
        "| Name | Value |",
        "def f(x):\n    return x + 1",
        "[the other report](https://example.org/more)",
        "**bold**",
        "- one",
    ):
        assert piece in got.text
    assert "Home" not in got.text
    assert "nonsense" not in got.text


def test_an_article_becomes_text() -> None:
    got = readout(ARTICLE.read_bytes(), mode="text")
    assert "the other report" in got.text
    assert "https://example.org/more" not in got.text
    assert "**" not in got.text


@pytest.mark.parametrize(
    ("charset", "declared"),
    [("windows-1252", "windows-1252"), ("utf-8", "utf-8"), ("utf-8", "klingon"), ("gbk", "GBK")],
)
def test_the_charset_of_the_answer_counts(charset: str, declared: str) -> None:
    words = "漢字" if charset == "gbk" else "Größe"
    page = f"<html><body><p>{f'{words} here. ' * 40}</p></body></html>".encode(charset)
    assert words in readout(page, media_type=f'text/html; charset="{declared}"').text


def test_the_title_comes_first() -> None:
    page = f"<html><head><title>The\n title</title></head><body><p>{'Words. ' * 60}</p>"
    assert readout(page.encode()).text.startswith("# The title\n\n")


def test_a_page_that_is_no_article_is_returned_whole() -> None:
    links = "".join(f"<li><a href='/{n}'>Item {n}</a></li>" for n in range(30))
    got = readout(f"<html><body><ul>{links}</ul></body></html>".encode())
    assert "Item 7" in got.text


def test_a_page_without_text_is_an_error() -> None:
    with pytest.raises(ToolError) as caught:
        readout(b"<html><body></body></html>")
    assert caught.value.kind == "bad_answer"


HOSTILE = {
    "deep": b"<div>" * 200_000 + b"needle",
    "wide": b"<p>x</p>" * 60_000 + b"<p>needle</p>",
    "attributes": b"<p " + b"a=b " * 300_000 + b">needle</p>",
    "entities": b"<p>" + b"&amp;" * 500_000 + b" needle</p>",
    "unclosed": b"<a href='" + b"x" * 1_000_000 + b"'>needle",
    "comment": b"<!--" * 100_000 + b"--><p>needle</p>",
    "tables": b"<table><tr><td>" * 20_000 + b"needle",
    "angles": b"<" * 300_000 + b"<p>needle</p>",
    "scripts": b"<script>" * 50_000 + b"</script><p>needle</p>",
    "doctype": b"<!DOCTYPE lolz [<!ENTITY a 'xx'><!ENTITY b '&a;&a;&a;'>]><p>&b; needle</p>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pages_end(name: str) -> None:
    try:
        got = readout(HOSTILE[name])
    except ToolError as error:
        assert error.kind in ("timeout", "bad_answer")
    else:
        assert got.text


@pytest.fixture
def stuck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let every child hang, and return the list of their ids."""
    hang = tmp_path / "hang"
    hang.write_text("#!/bin/sh\nexec sleep 600\n")
    hang.chmod(0o700)
    monkeypatch.setattr(reader.sys, "executable", str(hang))
    return _children_of(monkeypatch)


def test_the_deadline_ends_the_child(stuck: list[int]) -> None:
    async def go() -> None:
        with pytest.raises(ToolError) as caught:
            await Readability(1.0).read(URL, body=b"<p>hello</p>")
        assert caught.value.kind == "timeout"

    run(go())
    assert stuck
    assert all(_is_gone(pid) for pid in stuck)


def test_cancelling_ends_the_child(stuck: list[int]) -> None:
    async def go() -> None:
        task = asyncio.create_task(Readability().read(URL, body=b"x" * 5_000_000))
        while not stuck:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(go())
    assert all(_is_gone(pid) for pid in stuck)


def test_a_child_that_dies_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader.sys, "executable", "/bin/false")
    with pytest.raises(ToolError) as caught:
        readout(b"<p>hello</p>" * 100_000)
    assert caught.value.kind == "bad_answer"


def test_the_child_has_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, str]] = []
    start = asyncio.create_subprocess_exec

    async def watched(*args: Any, **options: Any) -> Any:
        given.append(options["env"])
        return await start(*args, **options)

    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    monkeypatch.setattr(asyncio, "create_subprocess_exec", watched)
    readout(ARTICLE.read_bytes())
    assert given == [{"LANG": "C.UTF-8"}]


def test_nothing_is_lost_behind_a_nul() -> None:
    page = b"<p>one</p>\x00<p>two</p>"
    for charset in ("utf-8", ""):
        assert "two" in read(page, URL, "text", charset)["text"]
    assert "drei" in read("<p>drei</p>".encode("utf-16"), URL, "text", "")["text"]


def test_what_the_parser_can_not_take_is_stripped(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise RecursionError

    monkeypatch.setattr("trafilatura.load_html", fails)
    got = read(b"<p>one<br>two</p><script>x</script> three &amp; four", URL, "text", "")
    assert got == {"text": "one\ntwo\nthree & four", "extractor": "html"}


def _children_of(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    pids: list[int] = []
    start = asyncio.create_subprocess_exec

    async def watched(*args: Any, **options: Any) -> Any:
        child = await start(*args, **options)
        pids.append(child.pid)
        return child

    monkeypatch.setattr(asyncio, "create_subprocess_exec", watched)
    return pids


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
