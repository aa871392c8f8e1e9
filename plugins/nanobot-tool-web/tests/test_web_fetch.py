"""web_fetch: who reads a page, what is told to whom, and what the model reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from nanobot.errors import ToolError
from nanobot.messages import Image, Trust
from nanobot_testing.servers.wire import Act, Reply
from nanobot_tool_web.discretion import is_private
from nanobot_tool_web.fetching import BANNER

SITE = "http://93.184.215.14"


def test_a_page_is_read_remotely_by_default(stage: Any) -> None:
    result = stage.fetch(f"{SITE}/page#part")
    assert json.loads(result.text) == {
        "url": f"{SITE}/page#part",
        "finalUrl": f"{SITE}/page",
        "status": 200,
        "extractor": "jina",
        "truncated": False,
        "length": len(f"read {SITE}/page"),
        "untrusted": True,
        "text": f"{BANNER}\n\nread {SITE}/page",
    }
    assert [part.trust for part in result.parts] == [Trust.UNTRUSTED]
    assert len(stage.requests) == 1, "a page is fetched once"
    assert stage.remote.proxies[0].startswith("http://127.0.0.1:"), "the tool's proxy"


def test_a_page_is_read_here_when_the_owner_says_so(stage: Any) -> None:
    stage.config = {"fetch": {"useJinaReader": False}}
    answer = json.loads(stage.fetch(extractMode="text").text)
    assert answer["extractor"] == "readability"
    assert answer["text"].endswith("read <p>hello</p>")
    assert stage.local.asked == [
        (f"{SITE}/page", b"<p>hello</p>", "text/html; charset=utf-8", "text")
    ]
    assert not stage.remote.asked


def test_a_failing_remote_reader_is_replaced(stage: Any) -> None:
    stage.remote.error = ToolError("down", kind="unavailable")
    assert json.loads(stage.fetch().text)["extractor"] == "readability"
    assert len(stage.requests) == 1


def test_without_a_remote_reader(stage: Any) -> None:
    stage.remote = None
    assert json.loads(stage.fetch().text)["extractor"] == "readability"


def test_without_any_reader_the_error_says_what_to_install(stage: Any) -> None:
    stage.remote = stage.local = None
    result = stage.fetch()
    assert result.kind == "no_reader"
    assert "pip install nanobot-fetch-readability" in result.text


def test_errors_of_the_local_reader_are_errors(stage: Any) -> None:
    stage.remote = None
    stage.local.error = ToolError("too slow", kind="timeout")
    assert stage.fetch().kind == "timeout"


# --- what leaves this machine ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        f"{SITE}/?token=abc",
        f"{SITE}/?X-Amz-Signature=abc&x=1",
        f"{SITE}/?x-goog-credential=abc",
        f"{SITE}/?access_token=abc",
        f"{SITE}/?API-Key=abc",
        f"{SITE}/?sig=abc",
        f"{SITE}/?v=eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.c2lnbmF0dXJl",
        f"{SITE}/s/3kPq9ZxW1vYt8RmB2nCd5Lf7",
        f"{SITE}/?d=3kPq9ZxW1vYt8RmB2nCd5Lf7",
        "http://bob:secret@93.184.215.14/",
        "http://bob@93.184.215.14/",
    ],
)
def test_secrets_are_not_told_to_a_remote_reader(stage: Any, url: str) -> None:
    answer = json.loads(stage.fetch(url).text)
    assert answer["extractor"] == "readability"
    assert not stage.remote.asked
    assert "bob" not in answer["finalUrl"] + answer["url"]


@pytest.mark.parametrize(
    "url",
    [
        f"{SITE}/",
        f"{SITE}/blog/2026/how-to-write-a-very-long-title-in-one-line-for-2026",
        f"{SITE}/wiki/Nanobot?action=history&page=2",
        f"{SITE}/questions/12345678/why-does-this-fail",
        f"{SITE}/search?q=weather+in+bern&lang=en",
        f"{SITE}/a/b/c/index.html",
    ],
)
def test_common_addresses_are_no_secrets(url: str) -> None:
    assert not is_private(url)


def test_secrets_in_a_redirect_are_not_told_either(stage: Any, make_page: Any) -> None:
    first = make_page(b"", status=302, location=f"{SITE}/x?token=abc")
    stage.replies.clear()
    stage.replies.extend([first, make_page()])
    assert json.loads(stage.fetch().text)["extractor"] == "readability"
    assert not stage.remote.asked


def test_the_owners_network_is_not_told_to_a_remote_reader(stage: Any) -> None:
    stage.allowed = ("10.0.0.0/8",)
    assert json.loads(stage.fetch("http://10.0.0.1/wiki").text)["extractor"] == "readability"
    assert not stage.remote.asked


def test_private_addresses_are_refused(stage: Any) -> None:
    for url in ("http://127.0.0.1/", "http://169.254.169.254/latest/", "http://[::1]/"):
        result = stage.fetch(url)
        assert result.kind == "blocked_address"
        assert "tools.ssrfWhitelist" in result.text
    assert not stage.requests
    assert not stage.remote.asked


def test_a_redirect_to_a_private_address_is_refused(stage: Any, make_page: Any) -> None:
    stage.replies.clear()
    stage.replies.append(make_page(b"", status=302, location="http://127.0.0.1/"))
    assert stage.fetch().kind == "blocked_address"
    assert not stage.remote.asked


# --- what is not a page ---------------------------------------------------------------------------


def test_a_picture_is_shown(stage: Any, make_page: Any) -> None:
    stage.replies.clear()
    stage.replies.append(make_page(b"\x89PNG...", content_type="image/png"))
    result = stage.fetch(f"{SITE}/a.png")
    picture = result.parts[1]
    assert isinstance(picture, Image)
    assert (picture.data, picture.media_type) == (b"\x89PNG...", "image/png")
    assert {part.trust for part in result.parts} == {Trust.UNTRUSTED}
    assert not stage.remote.asked


def test_json_is_laid_out(stage: Any, make_page: Any) -> None:
    stage.replies.clear()
    stage.replies.append(make_page('{"a":"ä"}'.encode(), content_type="application/ld+json"))
    answer = json.loads(stage.fetch().text)
    assert answer["extractor"] == "json"
    assert answer["text"].endswith('{\n  "a": "ä"\n}')


@pytest.mark.parametrize("body", [b"{broken", b"[" * 200_000])
def test_broken_json_is_shown_as_it_is(stage: Any, make_page: Any, body: bytes) -> None:
    stage.replies.clear()
    stage.replies.append(make_page(body, content_type="application/json"))
    answer = json.loads(stage.fetch(maxChars=100).text)
    assert answer["text"].endswith(body[:100].decode())


def test_plain_text_is_decoded_as_it_says(stage: Any, make_page: Any) -> None:
    stage.replies.clear()
    stage.replies.append(make_page(b"gr\xfcn", content_type='text/plain; charset="latin-1"'))
    answer = json.loads(stage.fetch().text)
    assert answer["extractor"] == "raw"
    assert answer["text"].endswith("grün")


def test_an_unknown_charset_does_no_harm(stage: Any, make_page: Any) -> None:
    stage.replies.clear()
    stage.replies.append(make_page("grün".encode(), content_type="text/plain; charset=klingon"))
    assert json.loads(stage.fetch().text)["text"].endswith("grün")


def test_other_files_are_refused(stage: Any, make_page: Any) -> None:
    stage.replies.clear()
    stage.replies.append(make_page(b"PK", content_type="application/zip"))
    result = stage.fetch()
    assert result.kind == "unsupported_type"
    assert "application/zip" in result.text


def test_a_pdf_is_left_to_a_remote_reader(stage: Any, make_page: Any) -> None:
    stage.replies.clear()
    stage.replies.append(make_page(b"%PDF", content_type="application/pdf"))
    assert json.loads(stage.fetch().text)["extractor"] == "jina"
    stage.remote = None
    result = stage.fetch()
    assert result.kind == "unsupported_type"
    assert "nanobot-fetch-jina" in result.text


# --- limits and failures --------------------------------------------------------------------------


def test_long_text_is_cut(stage: Any) -> None:
    stage.config = {"fetch": {"useJinaReader": False}}
    stage.replies.clear()
    stage.replies.append(Reply(headers={"content-type": "text/plain"}, body=[b"x" * 60_000]))
    answer = json.loads(stage.fetch().text)
    assert (answer["length"], answer["truncated"]) == (50_000, True)
    assert json.loads(stage.fetch(maxChars=150).text)["length"] == 150


def test_a_long_page_is_cut(stage: Any) -> None:
    stage.replies.clear()
    stage.replies.append(Reply(headers={"content-type": "text/plain"}, body=[b"x" * 500_000] * 12))
    answer = json.loads(stage.fetch(maxChars=10_000_000).text)
    assert (answer["length"], answer["truncated"]) == (5_000_000, True)


def test_a_large_picture_is_refused(stage: Any) -> None:
    stage.replies.clear()
    stage.replies.append(Reply(headers={"content-type": "image/png"}, body=[b"x" * 500_000] * 12))
    assert stage.fetch().kind == "too_large"


def test_a_page_that_is_not_there(stage: Any, make_page: Any) -> None:
    stage.replies.clear()
    stage.replies.append(make_page(b"gone", status=404))
    result = stage.fetch()
    assert result.kind == "http_status"
    assert "404" in result.text
    assert not stage.remote.asked


@pytest.mark.parametrize("status", [403, 429, 503])
def test_where_this_machine_is_turned_away_a_remote_reader_may_try(
    stage: Any, make_page: Any, status: int
) -> None:
    stage.replies.clear()
    stage.replies.append(make_page(b"no robots", status=status))
    answer = json.loads(stage.fetch().text)
    assert (answer["extractor"], answer["status"]) == ("jina", status)
    stage.remote = None
    assert stage.fetch().kind == "http_status"


def test_when_the_site_does_not_answer_a_remote_reader_may_try(stage: Any) -> None:
    stage.replies.clear()
    stage.replies.append(Reply(body=[Act.RESET]))
    assert json.loads(stage.fetch().text)["extractor"] == "jina"
    stage.remote = None
    result = stage.fetch()
    assert result.kind == "unreachable"
    assert result.retryable


@pytest.mark.parametrize("url", ["", "example.org", "ftp://example.org/", "file:///etc/passwd"])
def test_what_is_no_web_address(stage: Any, url: str) -> None:
    assert stage.fetch(url).kind == "bad_url"


@pytest.mark.parametrize("url", [f'"{SITE}/page"', f"`{SITE}/page` ", f"<{SITE}/page>"])
def test_quotes_around_an_address_are_dropped(stage: Any, url: str) -> None:
    assert json.loads(stage.fetch(url).text)["finalUrl"] == f"{SITE}/page"


def test_the_third_identical_fetch_of_a_turn_is_refused(stage: Any) -> None:
    once = ("web_fetch", {"url": f"{SITE}/page"})
    more = ("web_fetch", {"url": f"{SITE}/page#x", "maxChars": 200})
    other_case = ("web_fetch", {"url": f"{SITE}/Page"})
    results = stage.calls(once, more, once, other_case)
    assert [result.kind for result in results] == ["", "", "repeated", ""]
    assert len(stage.requests) == 2


def test_turns_count_for_themselves(stage: Any) -> None:
    once = ("web_fetch", {"url": f"{SITE}/page"})
    assert [r.kind for r in stage.calls(once, once)] == ["", ""]
    stage.turn = "bob"
    assert [r.kind for r in stage.calls(once, once)] == ["", ""]


def test_the_user_agent_can_be_chosen(stage: Any) -> None:
    stage.config = {"userAgent": "Curious/1.0"}
    stage.fetch()
    assert stage.requests[0].headers["user-agent"] == "Curious/1.0"
