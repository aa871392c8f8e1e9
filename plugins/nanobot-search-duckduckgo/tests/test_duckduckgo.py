"""What the pages of DuckDuckGo mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from nanobot.errors import ToolError
from nanobot_search_duckduckgo.engine import open_search
from nanobot_search_duckduckgo.page import Page
from nanobot_testing import load_spec, make_context, run
from nanobot_testing.servers.wire import Reply, ScriptedServer
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import NO_WISHES, Wishes

EMPTY = b'<div id="links"><div class="no-results">No results.</div></div>'
CHALLENGE = b'<form><div class="anomaly-modal__title">Bots use DuckDuckGo too.</div></form>'


def search(folder: Path, *replies: Reply, wishes: Wishes = NO_WISHES) -> list[str]:
    """Search once and return the forms that the server received."""

    async def go() -> list[str]:
        async with ScriptedServer() as server:
            server.reply(*replies)
            context = make_context(load_spec("search.duckduckgo"), folder)
            config = EngineConfig(base_url=server.base_url)
            async with open_search(config, context) as engine:
                await engine.search("q", count=3, wishes=wishes)
            return [request.body.decode() for request in server.requests]

    return run(go())


def page(body: bytes, status: int = 200, **headers: str) -> Reply:
    return Reply(status=status, headers=headers, body=[body], chunked=False)


@pytest.mark.parametrize(
    ("wishes", "form"),
    [
        (Wishes(), "q=q&b="),
        (Wishes(time_range="week"), "q=q&b=&df=w"),
        (Wishes(time_range="2026-01-01..2026-01-31"), "q=q&b=&df=2026-01-01..2026-01-31"),
        (Wishes(language="de"), "q=q&b=&kl=de-de"),
        (Wishes(language="en"), "q=q&b=&kl=us-en"),
    ],
)
def test_wishes(tmp_path: Path, wishes: Wishes, form: str) -> None:
    assert search(tmp_path, page(EMPTY), wishes=wishes) == [form]


def test_a_challenge_is_waited_out_once(tmp_path: Path) -> None:
    soon = {"retry-after": "0"}
    challenge = page(CHALLENGE, 202, **soon)
    assert len(search(tmp_path, challenge, page(EMPTY))) == 2
    for reply in (challenge, page(CHALLENGE)):
        with pytest.raises(ToolError) as caught:
            search(tmp_path, reply)
        assert caught.value.kind == "rate_limited"
        assert "engine" in caught.value.message


def test_nested_and_unclosed_elements() -> None:
    source = """<div id="links"><div class="result web-result">
    <a class="result__a" href="https://a.example/">A <b>bold<br> title</b></a> outside
    <a class="result__snippet">The <b>first</b> snippet</a> outside
    <div class="result web-result"><a class="result__a" href="/l/?uddg=https%3A%2F%2Fb.example%2F">B
    """
    first, second = Page(source).hits
    assert (first.title, first.url) == ("A bold title", "https://a.example/")
    assert first.snippet == "The first snippet"
    assert (second.title.strip(), second.url) == ("B", "https://b.example/")


def test_a_result_without_a_link_is_none() -> None:
    assert Page('<div id="links"><div class="result"><a class="result__a">x</a></div>').hits == []
