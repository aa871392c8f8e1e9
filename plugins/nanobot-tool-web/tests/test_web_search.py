"""web_search: which engine, what it is asked, and what the model reads."""

from __future__ import annotations

from typing import Any

import pytest
from nanobot.config import Secret
from nanobot.errors import ToolError
from nanobot.messages import Trust
from nanobot_tool_web.engine import Hit


def test_results_are_numbered_and_untrusted(stage: Any) -> None:
    stage.engines["duckduckgo"].hits = (
        Hit(title="One", url="https://example.org/1", snippet="First."),
        Hit(title="Two", url="https://example.org/2"),
    )
    result = stage.search("weather  in\nBern")
    assert result.text == (
        "Results for: weather in Bern\n\n"
        "1. One\n   https://example.org/1\n   First.\n"
        "2. Two\n   https://example.org/2"
    )
    assert [part.trust for part in result.parts] == [Trust.UNTRUSTED]


def test_no_results(stage: Any) -> None:
    stage.engines["duckduckgo"].hits = ()
    result = stage.search("xyzzy")
    assert result.text == "No results for: xyzzy"
    assert not result.is_error


def test_wishes_are_handed_on(stage: Any, make_engine: Any) -> None:
    engine = stage.engines["brave"] = make_engine()
    stage.config = {
        "proxy": "http://ignored/",
        "search": {"provider": "brave", "apiKey": "k-123456", "baseUrl": "http://b", "timeout": 7},
    }
    stage.search("q", count=3, timeRange="OneWeek", language="de-CH", authLevel=1)
    ((query, count, wishes),) = engine.asked
    assert (query, count, wishes.time_range, wishes.language) == ("q", 3, "week", "de")
    assert (wishes.auth_level, wishes.query_rewrite) == (1, False)
    assert isinstance(wishes.access.api_key, Secret)
    assert wishes.access.api_key.reveal() == "k-123456"
    assert (wishes.access.base_url, wishes.access.timeout_s) == ("http://b", 7.0)


def test_the_number_of_results(stage: Any) -> None:
    stage.config = {"search": {"maxResults": 2}}
    stage.calls(
        ("web_search", {"query": "a"}),
        ("web_search", {"query": "b", "count": 99}),
        ("web_search", {"query": "c", "count": -1}),
    )
    assert [count for _, count, _ in stage.engines["duckduckgo"].asked] == [2, 10, 1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"query": "  "},
        {"query": "x" * 2001},
        {"query": "a", "timeRange": "yesterday"},
        {"query": "a", "timeRange": "2026-02-30..2026-03-01"},
        {"query": "a", "timeRange": "2026-03-02..2026-03-01"},
        {"query": "a", "language": "deutsch"},
    ],
)
def test_wrong_arguments(stage: Any, wrong: dict[str, Any]) -> None:
    (result,) = stage.calls(("web_search", wrong))
    assert result.kind == "bad_argument"
    assert not stage.engines["duckduckgo"].asked


def test_dates_are_a_time_range(stage: Any) -> None:
    stage.search(timeRange="2026-01-01..2026-01-31")
    assert stage.engines["duckduckgo"].asked[0][2].time_range == "2026-01-01..2026-01-31"


# --- which engine ---------------------------------------------------------------------------------


def test_an_empty_provider_is_brave(stage: Any, make_engine: Any) -> None:
    stage.engines["brave"] = make_engine()
    stage.config = {"search": {"provider": ""}}
    stage.search()
    assert len(stage.engines["brave"].asked) == 1


def test_a_missing_engine_says_what_to_install(stage: Any) -> None:
    stage.config = {"search": {"provider": "tavily"}}
    result = stage.search()
    assert result.kind == "no_engine"
    assert "pip install nanobot-search-tavily" in result.text
    assert "duckduckgo" in result.text
    assert not stage.engines["duckduckgo"].asked


def test_no_engine_at_all(stage: Any) -> None:
    stage.engines.clear()
    result = stage.search()
    assert result.kind == "no_engine"
    assert "pip install nanobot-search-duckduckgo" in result.text


def test_without_a_key_duckduckgo_searches_and_the_result_says_so(
    stage: Any, make_engine: Any
) -> None:
    stage.engines["brave"] = make_engine(error=ToolError("Brave needs an API key.", kind="no_key"))
    stage.config = {"search": {"provider": "brave", "baseUrl": "http://brave.test"}}
    result = stage.search("q", timeRange="day")
    assert not result.is_error
    assert result.text.startswith("(Searched with duckduckgo: Brave needs an API key.)\n")
    ((_, _, wishes),) = stage.engines["duckduckgo"].asked
    assert wishes.time_range == "day"
    assert wishes.access.base_url is None, "another engine's address"
    assert wishes.access.api_key is None, "another engine's key"


def test_without_a_key_and_without_duckduckgo(stage: Any, make_engine: Any) -> None:
    error = ToolError("Brave needs an API key.", kind="no_key")
    stage.engines = {"brave": make_engine(error=error)}
    stage.config = {"search": {"provider": "brave"}}
    result = stage.search()
    assert result.kind == "no_key"
    assert "Brave needs an API key." in result.text
    assert "pip install nanobot-search-duckduckgo" in result.text


def test_a_failing_engine_is_not_replaced(stage: Any, make_engine: Any) -> None:
    """The query must not go to somebody else without need."""
    error = ToolError("refused", kind="unauthorized")
    stage.engines["brave"] = make_engine(error=error)
    stage.config = {"search": {"provider": "brave"}}
    assert stage.search().kind == "unauthorized"
    assert not stage.engines["duckduckgo"].asked


# --- repeated look-ups ----------------------------------------------------------------------------


def test_the_third_identical_search_of_a_turn_is_refused(stage: Any) -> None:
    ask = ("web_search", {"query": "Same  Words"})
    again = ("web_search", {"query": "same words"})
    results = stage.calls(ask, again, ask, ("web_search", {"query": "other"}))
    assert [result.kind for result in results] == ["", "", "repeated", ""]
    assert results[0].text == results[1].text
    assert len(stage.engines["duckduckgo"].asked) == 2, "the second is answered from memory"


def test_a_failed_search_may_be_tried_again(stage: Any) -> None:
    stage.engines["duckduckgo"].error = ToolError("busy", kind="unavailable", retryable=True)
    ask = ("web_search", {"query": "q"})
    assert [r.kind for r in stage.calls(ask, ask, ask)] == [
        "unavailable",
        "unavailable",
        "repeated",
    ]
    assert len(stage.engines["duckduckgo"].asked) == 2


def test_other_wishes_are_searched_for_and_counted(stage: Any) -> None:
    results = stage.calls(
        ("web_search", {"query": "q"}),
        ("web_search", {"query": "q", "timeRange": "day"}),
        ("web_search", {"query": "q", "timeRange": "week"}),
    )
    assert [result.kind for result in results] == ["", "", "repeated"]
    assert len(stage.engines["duckduckgo"].asked) == 2
