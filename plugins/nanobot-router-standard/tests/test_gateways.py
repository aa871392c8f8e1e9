"""Gateways, keys and addresses that tell whose they are, and what is done when nothing fits."""

from __future__ import annotations

from typing import Any

import pytest
from nanobot.errors import ConfigError
from nanobot.routing import Candidate, Route, RouteRequest
from nanobot.specs import ProviderSpec
from nanobot_router_standard.detection import is_at, owner_of_address, owner_of_key
from nanobot_router_standard.rules import choose


def candidate(name: str, *, has_key: bool = True, **fields: Any) -> Candidate:
    own = {key: fields.pop(key) for key in ("configured", "base_url", "env_key") if key in fields}
    return Candidate(spec=ProviderSpec(name=name, factory="m:f", **fields), has_key=has_key, **own)


def route(model: str, *candidates: Candidate) -> Route | None:
    return choose(RouteRequest(model=model, candidates={c.spec.name: c for c in candidates}))


def chosen(model: str, *candidates: Candidate) -> str:
    found = route(model, *candidates)
    return found.provider if found else ""


def server(name: str = "mine") -> Candidate:
    return candidate(name, needs_key=False, configured=True, base_url="http://10.0.0.1/v1")


ANTHROPIC = candidate("anthropic", keywords=("anthropic", "claude"))
NO_ANTHROPIC = candidate("anthropic", has_key=False, keywords=("anthropic", "claude"))
OPENAI = candidate("openai", keywords=("gpt",))
GATEWAY = candidate("openrouter", gateway=True, base_hosts=("openrouter.ai",))


# --- gateways --------------------------------------------------------------------------------


def test_a_gateway_is_the_last_resort() -> None:
    assert chosen("claude-x", GATEWAY, ANTHROPIC) == "anthropic"
    assert chosen("claude-x", GATEWAY, NO_ANTHROPIC, OPENAI) == "openrouter"
    assert chosen("llama-3", GATEWAY, OPENAI, server()) == "mine"
    assert chosen("llama-3", candidate("openrouter", gateway=True, has_key=False)) == ""


def test_a_gateway_gets_the_whole_id() -> None:
    found = route("anthropic/claude-x", OPENAI, NO_ANTHROPIC, GATEWAY)
    assert found and (found.provider, found.model) == ("openrouter", "anthropic/claude-x")


def test_a_vendors_id_goes_to_a_gateway_before_a_server_and_any_other_does_not() -> None:
    assert chosen("anthropic/claude-x", NO_ANTHROPIC, server(), GATEWAY) == "openrouter"
    assert chosen("anthropic/claude-x", NO_ANTHROPIC, server()) == "mine"
    assert chosen("mistralai/mixtral", NO_ANTHROPIC, server(), GATEWAY) == "mine"


def test_of_several_gateways_the_configured_one_is_asked() -> None:
    other = candidate("aihubmix", gateway=True, env_key="A_KEY")
    ours = candidate("openrouter", gateway=True, configured=True)
    assert chosen("llama-3", other, ours) == "openrouter"


def test_a_section_at_the_address_of_a_gateway_is_one() -> None:
    at = candidate("lab", configured=True, base_url="https://openrouter.ai/api/v1")
    idle = candidate("openrouter", gateway=True, has_key=False, base_hosts=("openrouter.ai",))
    assert chosen("llama-3", OPENAI, idle, at) == "lab"


def test_without_a_model_a_vendor_goes_before_a_gateway() -> None:
    gateway = candidate("a", gateway=True, env_key="A_KEY", default_model="auto")
    vendor = candidate("b", env_key="B_KEY", default_model="b-1")
    assert chosen("", gateway, vendor) == "b"
    assert chosen("", gateway) == "a"


# --- keywords --------------------------------------------------------------------------------


@pytest.mark.parametrize("plan_has_key", [True, False])
def test_the_longest_keyword_wins_with_or_without_a_key(plan_has_key: bool) -> None:
    ark = candidate("volcengine", keywords=("volcengine", "ark"), env_key="ARK_KEY")
    plan = candidate(
        "volcengine_coding_plan",
        keywords=("volcengine-plan",),
        has_key=plan_has_key,
        env_key="ARK_KEY" if plan_has_key else "",
    )
    found = route("volcengine-plan/ark-code", ark, plan, OPENAI)
    assert (found.provider if found else "") == (plan.spec.name if plan_has_key else "")
    assert chosen("ark-code", ark, plan) == "volcengine"


def test_the_words_of_a_keyword_stand_in_a_row() -> None:
    step = candidate("stepfun", keywords=("step-3",))
    assert chosen("step-3.7-flash", OPENAI, step) == "stepfun"
    assert chosen("step-by-step-3", OPENAI, step) == "stepfun"
    assert chosen("3-step", OPENAI, step) == chosen("step-by-3", OPENAI, step) == ""


@pytest.mark.parametrize(
    ("model", "keyword"),
    [("iflytek/spark-max", "ark"), ("my-stepped-model", "step"), ("sterling-7b", "ling")],
)
def test_a_part_of_a_word_is_not_taken_for_a_vendor(model: str, keyword: str) -> None:
    wrong = candidate("wrong", keywords=(keyword,), env_key="K")
    assert chosen(model, wrong, OPENAI) == ""
    assert chosen(model, wrong, OPENAI, GATEWAY) == "openrouter"


def test_a_vendor_that_needs_no_key_does_not_take_the_model_of_one_that_has_it() -> None:
    bedrock = candidate("bedrock", needs_key=False, keywords=("bedrock", "amazon.nova"))
    mistral = candidate("mistral", keywords=("mistral",))
    assert chosen("mistral.large", bedrock, mistral) == "mistral"


# --- nothing fits ----------------------------------------------------------------------------


def test_the_alphabet_does_not_decide() -> None:
    a, b = candidate("a", env_key="A_KEY"), candidate("b", env_key="B_KEY")
    assert route("unheard-of", a, b) is None
    assert chosen("unheard-of", a) == "a"
    assert chosen("unheard-of", a, candidate("b", configured=True)) == "b"
    both = candidate("a", configured=True), candidate("b", configured=True)
    assert route("unheard-of", *both) is None


def test_a_model_that_says_whose_it_is_goes_to_nobody_else() -> None:
    assert chosen("anthropic/claude-x", NO_ANTHROPIC, OPENAI) == ""
    assert chosen("somebody/claude-x", NO_ANTHROPIC, OPENAI) == "openai"


def test_two_plans_of_one_key_are_one_vendor() -> None:
    pay, plan = (candidate(name, env_key="ARK_KEY") for name in ("ark", "ark_plan"))
    assert chosen("unheard-of", pay, plan) == "ark"


def test_the_order_of_the_configuration_counts() -> None:
    zenith, acme = server("zenith"), server("acme")
    assert chosen("llama-3", zenith, acme) == "zenith"
    assert chosen("llama-3", acme, zenith) == "acme"


# --- whose a key, and whose an address is -----------------------------------------------------

VENDORS = [
    ProviderSpec(name="zen", factory="m:f", base_hosts=("opencode.ai/zen",)),
    ProviderSpec(name="go", factory="m:f", base_hosts=("opencode.ai/zen/go",)),
    ProviderSpec(name="router", factory="m:f", base_hosts=("r.ai",), key_prefixes=("sk-or-",)),
    ProviderSpec(name="plain", factory="m:f"),
]


@pytest.mark.parametrize(
    ("url", "owner"),
    [
        ("https://r.ai/api/v1", "router"),
        ("https://eu.R.AI./api", "router"),
        ("https://opencode.ai/zen/v1", "zen"),
        ("https://opencode.ai/zen/go/v1", "go"),
        ("https://opencode.ai/zen/go", "go"),
        ("https://opencode.ai/zen/gopher", "zen"),
        ("https://opencode.ai/zenith", ""),
        ("https://notr.ai/v1", ""),
        ("https://r.ai.example.com/v1", ""),
        ("http://[::1/v1", ""),
        ("nonsense", ""),
    ],
)
def test_an_address_tells_its_vendor(url: str, owner: str) -> None:
    found = owner_of_address(url, VENDORS)
    assert (found.name if found else "") == owner


def test_a_key_tells_its_vendor() -> None:
    found = owner_of_key("sk-or-v1-abc", VENDORS)
    assert found and found.name == "router"
    assert owner_of_key("sk-orca-abc", VENDORS) is None
    assert owner_of_key("", VENDORS) is None
    assert is_at("https://r.ai", "r.ai") and not is_at("", "r.ai")


# --- the same, from configuration to choice ---------------------------------------------------


def _sell(shop: Any) -> None:
    shop.sell("openai", env_keys=("OPENAI_API_KEY",), keywords=("gpt",), default_model="gpt-mini")
    shop.sell("deepseek", env_keys=("DEEPSEEK_API_KEY",), default_model="d")
    shop.sell(
        "openrouter",
        title="OpenRouter",
        env_keys=("OPENROUTER_API_KEY",),
        gateway=True,
        default_model="auto",
        key_prefixes=("sk-or-",),
        base_hosts=("openrouter.ai",),
        models=["first"],
    )


@pytest.mark.parametrize("where", ["configuration", "environment"])
def test_a_key_in_the_wrong_place_is_used_where_it_belongs(shop: Any, where: str) -> None:
    _sell(shop)
    if where == "configuration":
        shop.config["providers"] = {"openai": {"apiKey": "sk-or-v1-secret"}}
    else:
        shop.environ["OPENAI_API_KEY"] = "sk-or-v1-secret"
    shop.defaults.update(model="gpt-5")
    choice = shop.chosen()
    assert (choice.provider, choice.model, choice.alias) == ("openrouter", "gpt-5", "")
    assert choice.section.api_key.reveal() == "sk-or-v1-secret"
    (notice,) = shop.models.notices
    assert "it is a key of OpenRouter, which is asked with it" in notice
    assert "providers.openrouter.apiKey" in notice and "secret" not in notice


def test_a_key_in_the_wrong_place_gives_way_to_one_in_the_right_place(shop: Any) -> None:
    _sell(shop)
    shop.config["providers"] = {
        "openai": {"apiKey": "sk-or-v1-wrong"},
        "openrouter": {"apiKey": "sk-or-v1-right"},
    }
    shop.defaults.update(model="gpt-5")
    choice = shop.chosen()
    assert choice.provider == "openrouter" and choice.section is None
    assert "which is asked" not in shop.models.notices[0]


def test_a_key_behind_an_address_of_its_own_is_left_alone(shop: Any) -> None:
    _sell(shop)
    shop.config["providers"] = {"openai": {"apiKey": "sk-or-v1-x", "apiBase": "http://10.0.0.1/v1"}}
    shop.defaults.update(model="gpt-5")
    assert shop.chosen().provider == "openai" and not shop.models.notices


def test_a_section_of_any_name_is_served_by_the_vendor_at_its_address(shop: Any) -> None:
    _sell(shop)
    shop.sell("custom", needs_key=False, adopts=True)
    shop.config["providers"] = {
        "work": {"apiKey": "k-1", "apiBase": "https://openrouter.ai/api/v1"},
        "lab": {"apiBase": "http://10.0.0.1/v1"},
    }
    shop.config["modelPresets"] = {
        name: {"model": "llama", "provider": name} for name in ("work", "lab")
    }
    shop.defaults.update(model="work/llama")
    presets = shop.presets()
    assert [(c[0].provider, c[0].alias) for c in presets.values()] == [
        ("openrouter", "work"),
        ("custom", "lab"),
        ("openrouter", "work"),
    ]
    assert presets[""][0].section.api_key.reveal() == "k-1"


def test_a_vendor_at_the_address_makes_custom_unnecessary(shop: Any) -> None:
    _sell(shop)
    shop.config["providers"] = {
        "work": {"apiKey": "k-1", "apiBase": "https://openrouter.ai/api/v1"}
    }
    shop.defaults.update(model="llama-3")
    choice = shop.chosen()
    assert (choice.provider, choice.alias, choice.model) == ("openrouter", "work", "llama-3")
    assert choice.reason == "providers.work is configured"


def test_a_model_that_may_be_anybodys_is_refused_with_the_choice(shop: Any) -> None:
    _sell(shop)
    shop.config["providers"] = {
        "openai": {"apiKey": "sk-1"},
        "deepseek": {"apiKey": "sk-2"},
    }
    shop.defaults.update(model="unheard-of")
    with pytest.raises(ConfigError) as caught:
        shop.chosen()
    assert "(openai, deepseek) is known for model 'unheard-of'" in caught.value.message
    assert "openai/unheard-of" in caught.value.remedy
    shop.defaults.update(model="starlight/kimi")
    with pytest.raises(ConfigError) as caught:
        shop.chosen()
    assert "pip install nanobot-provider-starlight" in caught.value.remedy
