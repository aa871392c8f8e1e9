"""Which provider answers, and why."""

from __future__ import annotations

import pytest
from nanobot.routing import Candidate, Route, RouteRequest
from nanobot.specs import ProviderSpec
from nanobot_router_standard.rules import choose


def candidate(name: str, **changes: object) -> Candidate:
    fields = {
        key: changes.pop(key)
        for key in ("keywords", "needs_key", "default_model", "last_resort", "gateway")
        if key in changes
    }
    spec = ProviderSpec(name=name, factory="x:y", **fields)  # type: ignore[arg-type]
    return Candidate(spec=spec, **{"has_key": True, **changes})  # type: ignore[arg-type]


def ask(model: str, *candidates: Candidate) -> Route | None:
    return choose(RouteRequest(model=model, candidates={c.spec.name: c for c in candidates}))


def chosen(model: str, *candidates: Candidate) -> str:
    route = ask(model, *candidates)
    return route.provider if route else ""


def test_the_prefix_wins_and_is_taken_off() -> None:
    route = ask("deepseek/deepseek-chat", candidate("deepseek"), candidate("openrouter"))
    assert route and (route.provider, route.model) == ("deepseek", "deepseek-chat")


def test_a_prefix_of_a_provider_without_key_stays_for_a_gateway() -> None:
    gateway = candidate("router", gateway=True)
    route = ask("anthropic/claude-x", candidate("anthropic", has_key=False), gateway)
    assert route and (route.provider, route.model) == ("router", "anthropic/claude-x")


@pytest.mark.parametrize(
    ("model", "keyword", "fits"),
    [
        ("claude-sonnet-4-5", "claude", True),
        ("iflytek/spark-max", "ark", False),
        ("my-step-by-step-model", "stepfun", False),
        ("sterling-7b", "ling", False),
        ("GPT-5.4-mini", "gpt", True),
        ("kimi-for-coding-1", "kimi-for-coding", True),
    ],
)
def test_keywords_are_whole_words(model: str, keyword: str, fits: bool) -> None:
    vendor = candidate("vendor", keywords=(keyword,))
    other = candidate("another")
    assert (chosen(model, other, vendor) == "vendor") is fits


def test_an_own_server_goes_before_any_key() -> None:
    own = candidate("mine", needs_key=False, base_url="http://127.0.0.1:1/v1", configured=True)
    assert chosen("some-model", candidate("vendor"), own) == "mine"


def test_configured_goes_before_the_environment() -> None:
    from_env = candidate("aaa", env_key="AAA_KEY")
    configured = candidate("zzz", configured=True)
    assert chosen("some-model", from_env, configured) == "zzz"


def test_without_a_model_the_default_of_who_has_a_key() -> None:
    route = ask("", candidate("b", default_model="b-1", env_key="B_KEY"), candidate("a"))
    assert route and (route.provider, route.model, route.reason) == ("b", "b-1", "B_KEY is set")


def test_the_last_resort_comes_last_and_says_how_to_do_better() -> None:
    offline = candidate("offline", needs_key=False, last_resort=True, default_model="offline")
    route = ask("", offline, candidate("vendor", has_key=False, default_model="v"))
    assert route and route.provider == "offline" and "pip install" in route.reason


def test_nothing_fits() -> None:
    assert ask("some-model", candidate("vendor", has_key=False)) is None
    assert ask("") is None
