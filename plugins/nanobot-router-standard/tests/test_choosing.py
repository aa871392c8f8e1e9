"""The rules: prefix, whole-word keywords, own servers, keys, and the last resort."""

from __future__ import annotations

from typing import Any

import pytest
from nanobot.routing import Candidate, Route, RouteRequest
from nanobot.specs import ProviderSpec
from nanobot_router_standard.rules import SETUP_HINT, choose


def candidate(name: str, *, has_key: bool = True, **fields: Any) -> Candidate:
    own = {key: fields.pop(key) for key in ("configured", "base_url", "env_key") if key in fields}
    spec = ProviderSpec(name=name, factory="m:f", **fields)
    return Candidate(spec=spec, has_key=has_key, **own)


def route(model: str, *candidates: Candidate) -> Route | None:
    return choose(RouteRequest(model=model, candidates={c.spec.name: c for c in candidates}))


VENDORS = (
    candidate("volcengine", keywords=("volcengine", "ark", "doubao")),
    candidate("stepfun", keywords=("step",)),
    candidate("anthropic", keywords=("claude",)),
    candidate("openai", keywords=("gpt", "o1")),
    candidate("zhipu", keywords=("glm-4",)),
    candidate("last", needs_key=False, last_resort=True, default_model="offline"),
)


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("ark-pro", "volcengine"),
        ("doubao-1.5", "volcengine"),
        ("claude-opus-4", "anthropic"),
        ("Claude_Sonnet", "anthropic"),
        ("us.anthropic.claude-3:1", "anthropic"),
        ("gpt-5", "openai"),
        ("o1", "openai"),
        ("glm-4-air", "zhipu"),
        ("step-2", "stepfun"),
    ],
)
def test_a_keyword_is_a_whole_word(model: str, provider: str) -> None:
    found = route(model, *VENDORS)
    assert found and (found.provider, found.model) == (provider, model)
    assert "contains" in found.reason


@pytest.mark.parametrize(
    "model", ["iflytek/spark-max", "my-stepped-model", "claudette", "gpts", "glm", "foo1", "glm4"]
)
def test_a_part_of_a_word_is_no_keyword(model: str) -> None:
    found = route(model, *VENDORS)
    assert found is None or "contains" not in found.reason


def test_a_prefix_comes_first() -> None:
    found = route("stepfun/claude-3", *VENDORS)
    assert found == Route(
        provider="stepfun", model="claude-3", reason="the model's prefix names stepfun"
    )
    azure = candidate("azure_openai")
    for spelling in ("azure_openai", "azure-openai", "azureOpenai"):
        found = route(f"{spelling}/gpt-5", azure, *VENDORS)
        assert found and (found.provider, found.model) == ("azure_openai", "gpt-5")


def test_without_a_key_a_vendor_is_not_asked() -> None:
    found = route(
        "claude-3", candidate("anthropic", has_key=False, keywords=("claude",)), VENDORS[3]
    )
    assert found and found.provider == "openai"


def test_an_own_server_comes_before_any_key() -> None:
    own = candidate("mine", needs_key=False, configured=True, base_url="http://10.0.0.1/v1")
    found = route("llama-3", *VENDORS, own)
    assert found and (found.provider, found.reason) == ("mine", "providers.mine is configured")


def test_a_server_that_is_only_installed_is_not_asked() -> None:
    assert route("llama-3", candidate("ollama", needs_key=False)) is None


def test_configuration_comes_before_the_environment() -> None:
    a = candidate("a", env_key="A_KEY", keywords=("x",), default_model="m-a")
    b = candidate("b", configured=True, keywords=("x",), default_model="m-b")
    for model in ("x-1", "other", ""):
        found = route(model, a, b)
        assert found and found.provider == "b"
    assert route("other", a) == Route(provider="a", model="other", reason="A_KEY is set")


def test_without_a_model_the_vendors_own_is_taken() -> None:
    found = route("", candidate("x", env_key="X_KEY", default_model="x-1"), *VENDORS)
    assert found == Route(provider="x", model="x-1", reason="X_KEY is set")


def test_without_a_model_an_own_server_is_asked_for_one() -> None:
    own = candidate("mine", needs_key=False, configured=True, base_url="http://10.0.0.1/v1")
    found = route("", own, VENDORS[-1])
    assert found and (found.provider, found.model) == ("mine", "")
    found = route("", own, candidate("x", default_model="x-1", configured=True))
    assert found and found.provider == "x"


def test_the_last_resort_is_for_those_who_named_nothing() -> None:
    found = route("", *VENDORS)
    assert found == Route(provider="last", model="offline", reason=SETUP_HINT)
    assert route("llama-3", VENDORS[-1]) is None, "another model must not answer in its name"
    assert route("") is None
