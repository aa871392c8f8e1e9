"""What all vendors share: whom they are asked through, how long they are waited for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nanobot.config import Secret
from nanobot.errors import ToolError
from nanobot_testing import load_spec, make_context, run
from nanobot_testing.lab import FakeClock
from nanobot_testing.servers.wire import Reply, ScriptedServer, json_reply
from nanobot_tool_web.api import Ask
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.engine import Access, Hit, Wishes
from nanobot_tool_web.plain import plain
from nanobot_tool_web.vendor import Vendor, records, text


class Example(Vendor):
    title = "Example"
    env_keys = ("EXAMPLE_SEARCH_KEY",)

    def ask(self, query: str, count: int, wishes: Wishes, key: str) -> Ask:
        return Ask(path="/search", params={"q": query}, headers={"X-Key": key})

    def hits(self, answer: Any) -> Iterable[Hit]:
        for one in records(answer, "results"):
            yield Hit(title=text(one, "title"), url=text(one, "url"))


class Lab:
    """Searches once against a server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.keys: list[str] = []

    def __call__(self, *replies: Reply, own: str = "", access: str = "") -> tuple[Hit, ...]:
        async def go() -> tuple[Hit, ...]:
            async with ScriptedServer() as server:
                server.reply(*replies)
                context = make_context(load_spec("tools.web"), self.folder, plugin="search.example")
                context = replace(context, clock=self.clock)
                config = EngineConfig(
                    base_url=server.base_url, api_key=Secret(own) if own else None
                )
                wishes = Wishes(access=Access(api_key=Secret(access)))
                try:
                    async with Example(config, context) as engine:
                        return await engine.search("q", count=3, wishes=wishes)
                finally:
                    self.keys = [request.headers["x-key"] for request in server.requests]

        return run(go())


@pytest.fixture
def search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("EXAMPLE_SEARCH_KEY", "key-of-the-environment")
    return Lab(tmp_path)


GOOD = json_reply({"results": [{"title": "T", "url": "https://example.org/"}]})


def limited(**headers: str) -> Reply:
    made: Mapping[str, str] = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=429, headers=made, body=[b"{}"], chunked=False)


def test_its_own_key_goes_first(search: Lab) -> None:
    search(GOOD, own="own-key", access="key-of-the-tool")
    assert search.keys == ["own-key"]
    search(GOOD, access="key-of-the-tool")
    assert search.keys == ["key-of-the-tool"]
    search(GOOD)
    assert search.keys == ["key-of-the-environment"]


@pytest.mark.parametrize(
    ("reply", "waited"),
    [
        (limited(), 1.0),
        (limited(retry_after="2"), 2.0),
        (limited(retry_after="Fri, 02 Jan 2026 03:04:06 GMT"), 1.0),
        (limited(retry_after="Thu, 01 Jan 2026 00:00:00 GMT"), 0.0),
        (limited(retry_after="soon"), 1.0),
    ],
)
def test_a_short_wait_is_kept(search: Lab, reply: Reply, waited: float) -> None:
    assert len(search(reply, GOOD)) == 1
    assert search.clock.slept == [waited]


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [
        (limited(retry_after="3"), "3 s"),
        (limited(retry_after="Fri, 02 Jan 2026 03:05:05 GMT"), "60 s"),
    ],
)
def test_a_long_wait_is_told(search: Lab, reply: Reply, seconds: str) -> None:
    with pytest.raises(ToolError) as caught:
        search(reply, GOOD)
    assert caught.value.kind == "rate_limited"
    assert seconds in caught.value.message
    assert search.clock.slept == []


def test_it_is_asked_again_only_once(search: Lab) -> None:
    with pytest.raises(ToolError):
        search(limited(), limited(), GOOD)
    assert len(search.keys) == 2


def test_an_empty_account(search: Lab) -> None:
    with pytest.raises(ToolError) as caught:
        search(Reply(status=402, body=[b"{}"], chunked=False))
    assert caught.value.kind == "quota"


def test_a_refused_key_says_where_to_look(search: Lab) -> None:
    with pytest.raises(ToolError) as caught:
        search(Reply(status=401, body=[b"key-of-the-environment"], chunked=False))
    assert "search.example.apiKey or EXAMPLE_SEARCH_KEY" in caught.value.message
    assert "key-of-the-environment" not in caught.value.message


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("<b>a</b> &lt;i&gt; &amp;  b\n", "a <i> & b"),
        ("1 < 2 > 1", "1 < 2 > 1"),
        ("a<!-- x -->b<br/>c", "abc"),
        ("a\x00\x1b[31m\u202eb", "a [31m b"),
        ("\ud800x", "x"),
        ("x" * 50, "x" * 19 + "…"),
    ],
)
def test_plain_text(markup: str, words: str) -> None:
    assert plain(markup, 20) == words
