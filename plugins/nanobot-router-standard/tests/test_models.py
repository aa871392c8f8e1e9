"""Which model is asked: named, guessed from its name, found in the environment or running here."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest
from nanobot.errors import AuthError, ConfigError, NanobotError, PluginMissing
from nanobot.routing import Route, RouteRequest
from nanobot_router_standard import probing


def _vendors(shop: Any) -> None:
    shop.sell("openai", env_keys=("OPENAI_API_KEY",), keywords=("gpt",), default_model="gpt-mini")
    shop.sell("deepseek", env_keys=("DEEPSEEK_API_KEY", "DS_KEY"), keywords=("deepseek",))
    shop.sell("azure_openai", env_keys=("AZURE_KEY",))
    shop.sell("offline", needs_key=False, last_resort=True, default_model="offline")


# --- a provider that is named ------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["azure_openai", "azure-openai", "azureOpenai", "AzureOpenai"])
@pytest.mark.parametrize("model", ["gpt-5", "azureOpenai/gpt-5", "azure_openai/gpt-5"])
def test_the_provider_is_named(shop: Any, spelling: str, model: str) -> None:
    _vendors(shop)
    shop.defaults.update(provider=spelling, model=model)
    choice = shop.chosen()
    assert (choice.provider, choice.model) == ("azure_openai", "gpt-5")
    assert choice.reason == "the configuration names it" and choice.section is None


def test_only_the_named_provider_is_imported(shop: Any) -> None:
    _vendors(shop)
    shop.install("providers.huge", "nanobot_must_not_be_imported")
    shop.defaults.update(provider="openai", model="gpt-5")
    shop.chosen()
    states = {id: shop.state(f"providers.{id}") for id in ("openai", "deepseek", "huge")}
    assert states == {"openai": "loaded", "deepseek": "available", "huge": "available"}


def test_a_prefix_of_another_vendor_stays_part_of_the_model(shop: Any) -> None:
    shop.sell("openrouter")
    shop.defaults.update(provider="openrouter", model="anthropic/claude-3")
    assert shop.chosen().model == "anthropic/claude-3"


def test_a_named_provider_has_a_model_of_its_own(shop: Any) -> None:
    _vendors(shop)
    shop.defaults.update(provider="openai")
    assert shop.chosen().model == "gpt-mini"


def test_a_named_provider_may_be_asked_for_its_first_model(shop: Any) -> None:
    shop.sell("ollama", needs_key=False, models=["llama-3", "phi"])
    shop.defaults.update(provider="ollama")
    assert shop.chosen().model == "llama-3"


def test_a_named_provider_without_any_model(shop: Any) -> None:
    _vendors(shop)
    shop.defaults.update(provider="deepseek")
    with pytest.raises(ConfigError, match="no default model") as caught:
        shop.chosen()
    assert "nanobot config set agents.defaults.model" in caught.value.remedy


def test_a_provider_that_is_not_installed(shop: Any) -> None:
    _vendors(shop)
    shop.defaults.update(provider="starlight", model="kimi")
    with pytest.raises(PluginMissing) as caught:
        shop.chosen()
    assert "'starlight' is not installed" in caught.value.message
    assert caught.value.remedy == (
        "pip install nanobot-provider-starlight   "
        "Installed: azure_openai, deepseek, offline, openai."
    )


@pytest.mark.parametrize("how", ["named", "by prefix"])
def test_a_provider_that_is_broken(shop: Any, how: str) -> None:
    shop.install("providers.sick", "nanobot_not_there")
    if how == "named":
        shop.defaults.update(provider="sick", model="m")
    else:
        shop.defaults.update(model="sick/m")
    with pytest.raises(NanobotError) as caught:
        shop.chosen()
    assert "'sick' is installed, but broken: import failed: module" in caught.value.message


def test_custom_does_not_serve_a_name_without_a_section(shop: Any) -> None:
    shop.sell("custom", needs_key=False, adopts=True)
    shop.defaults.update(provider="starlight", model="kimi")
    with pytest.raises(PluginMissing, match="'starlight' is not installed"):
        shop.chosen()


def test_providers_that_presets_name_are_imported_one_by_one(shop: Any) -> None:
    _vendors(shop)
    shop.defaults.update(provider="openai", model="gpt-5")
    shop.config["modelPresets"] = {"deep": {"model": "r1", "provider": "deepseek"}}
    assert shop.presets()["deep"][0].provider == "deepseek" and shop.models.notices == []
    assert shop.state("providers.azure_openai") == "available"


def test_a_provider_that_is_switched_off(shop: Any) -> None:
    _vendors(shop)
    shop.config["plugins"] = {"disabled": ["providers.openai"]}
    shop.defaults.update(provider="openai", model="gpt-5")
    with pytest.raises(PluginMissing, match=r"disabled: listed in plugins\.disabled"):
        shop.chosen()


# --- a provider that is guessed -----------------------------------------------------------------


def test_the_prefix_of_a_model_names_its_provider(shop: Any) -> None:
    _vendors(shop)
    shop.environ.update(OPENAI_API_KEY="sk-1", AZURE_KEY="az-1")
    shop.defaults.update(model="azure-openai/gpt-5")
    choice = shop.chosen()
    assert (choice.provider, choice.model) == ("azure_openai", "gpt-5")
    assert "prefix" in choice.reason
    assert shop.state("providers.deepseek") == "available", "no other is imported for it"


def test_a_word_of_the_model_names_its_provider(shop: Any) -> None:
    _vendors(shop)
    shop.environ.update(OPENAI_API_KEY="sk-1", DEEPSEEK_API_KEY="ds-1")
    shop.defaults.update(model="deepseek-chat")
    choice = shop.chosen()
    assert (choice.provider, choice.model) == ("deepseek", "deepseek-chat")


def test_a_part_of_a_word_names_nobody(shop: Any) -> None:
    shop.sell("volcengine", env_keys=("ARK_KEY",), keywords=("ark", "volcengine"))
    shop.sell("iflytek", env_keys=("IFLYTEK_KEY",), keywords=("spark",))
    shop.environ.update(ARK_KEY="a-1", IFLYTEK_KEY="i-1")
    shop.defaults.update(model="spark-max")
    assert shop.chosen().provider == "iflytek"
    shop.defaults.update(model="iflytek/spark-max")
    choice = shop.chosen()
    assert (choice.provider, choice.model) == ("iflytek", "spark-max")


def test_a_key_in_the_environment_is_enough(shop: Any) -> None:
    _vendors(shop)
    shop.environ.update(OPENAI_API_KEY="sk-1")
    choice = shop.chosen()
    assert (choice.provider, choice.model) == ("openai", "gpt-mini")
    assert choice.reason == "OPENAI_API_KEY is set"
    assert shop.models.notices == ["Asking openai/gpt-mini: OPENAI_API_KEY is set."]


def test_the_second_variable_counts_when_the_first_is_empty(shop: Any) -> None:
    _vendors(shop)
    shop.environ.update(DEEPSEEK_API_KEY="", DS_KEY="ds-1")
    shop.defaults.update(model="deepseek-chat")
    assert shop.chosen().provider == "deepseek"


def test_a_key_in_the_configuration(shop: Any) -> None:
    _vendors(shop)
    shop.environ.update(DEEPSEEK_API_KEY="ds-1")
    shop.config["providers"] = {"openai": {"apiKey": "sk-1"}}
    shop.defaults.update(model="something-new")
    choice = shop.chosen()
    assert (choice.provider, choice.reason) == ("openai", "providers.openai is configured")


def test_a_model_whose_provider_has_no_key(shop: Any) -> None:
    _vendors(shop)
    shop.defaults.update(model="deepseek/deepseek-chat")
    with pytest.raises(ConfigError) as caught:
        shop.chosen()
    assert "provider 'deepseek' has no key" in caught.value.message
    assert "Set DEEPSEEK_API_KEY or DS_KEY" in caught.value.remedy
    assert "nanobot config set providers.deepseek.apiKey KEY" in caught.value.remedy


@pytest.mark.parametrize(
    ("model", "hint"),
    [("starlight/kimi", "pip install nanobot-provider-starlight"), ("kimi", "nanobot status")],
)
def test_a_model_that_nobody_knows(shop: Any, model: str, hint: str) -> None:
    """The offline provider does not answer in another model's name."""
    _vendors(shop)
    shop.defaults.update(model=model)
    with pytest.raises(ConfigError, match="no provider is configured") as caught:
        shop.chosen()
    assert hint.lower() in caught.value.remedy.lower()


def test_a_section_that_can_not_be_used_is_told(shop: Any) -> None:
    _vendors(shop)
    shop.config["providers"] = {"openai": {"apiKey": "${NO_SUCH_VARIABLE}"}}
    shop.defaults.update(model="gpt-5")
    with pytest.raises(ConfigError, match="NO_SUCH_VARIABLE"):
        shop.chosen()
    shop.defaults.clear()
    shop.defaults.update(workspace=str(shop.folder / "work"))
    assert shop.chosen().provider == "offline"
    assert any("NO_SUCH_VARIABLE" in notice for notice in shop.models.notices)


def test_a_model_of_the_command_line_goes_before_the_configured_provider(shop: Any) -> None:
    _vendors(shop)
    shop.environ.update(OPENAI_API_KEY="sk-1", DEEPSEEK_API_KEY="ds-1")
    shop.defaults.update(provider="openai", model="gpt-5")
    choice = shop.chosen(model="deepseek-chat")
    assert (choice.provider, choice.model) == ("deepseek", "deepseek-chat")


# --- a plugin that decides ----------------------------------------------------------------------


def _decides(route: Route | None) -> dict[str, Callable[..., Any]]:
    def decide(request: RouteRequest) -> Route | None:
        return route if request.model == "best" else None

    return {"nanobot_route_model": decide}


def test_a_plugin_may_route_a_model(shop: Any) -> None:
    _vendors(shop)
    route = Route(provider="deepseek", model="deepseek-r9", reason="it is the best")
    shop.sell("router", hooks=_decides(route))
    shop.environ.update(OPENAI_API_KEY="sk-1", DEEPSEEK_API_KEY="ds-1")
    shop.defaults.update(model="best")
    choice = shop.chosen()
    assert (choice.provider, choice.model, choice.reason) == (
        "deepseek",
        "deepseek-r9",
        "it is the best",
    )
    assert shop.chosen(model="gpt-5").provider == "openai", "others are the core's to decide"


def test_a_plugin_may_leave_the_model_to_the_provider(shop: Any) -> None:
    shop.sell("local", needs_key=False, models=["phi-9"])
    shop.sell("router", hooks=_decides(Route(provider="local", model="", reason="r")))
    shop.defaults.update(model="best")
    assert shop.chosen().model == "phi-9"


@pytest.mark.parametrize("answer", [Route(provider="ghost", model="m", reason="r"), "openai"])
def test_a_plugin_that_routes_to_nobody(shop: Any, answer: Any) -> None:
    _vendors(shop)
    shop.sell("router", hooks=_decides(answer))
    shop.defaults.update(model="best")
    with pytest.raises(ConfigError, match="no provider is configured for model 'best'"):
        shop.chosen()


# --- sections without a plugin of their own -----------------------------------------------------


@pytest.mark.parametrize("written", ["myCloud", "my_cloud", "my-cloud"])
@pytest.mark.parametrize("how", ["named", "by prefix"])
def test_any_name_with_an_address_is_served_by_custom(shop: Any, written: str, how: str) -> None:
    shop.sell("custom", needs_key=False, adopts=True)
    shop.config["providers"] = {written: {"apiKey": "k-1", "apiBase": "http://10.1.2.3/v1"}}
    if how == "named":
        shop.defaults.update(provider="myCloud", model="llama")
    else:
        shop.defaults.update(model="my-cloud/llama")
    choice = shop.chosen()
    assert (choice.provider, choice.model, choice.alias) == ("custom", "llama", written)
    assert choice.section.api_base == "http://10.1.2.3/v1"
    assert choice.section.api_key.reveal() == "k-1"


def test_several_such_sections_are_opened_apart(shop: Any) -> None:
    shop.sell("custom", needs_key=False, adopts=True)
    shop.config["providers"] = {
        "one": {"apiBase": "http://10.0.0.1/v1"},
        "two": {"apiBase": "http://10.0.0.2/v1"},
    }
    shop.config["modelPresets"] = {
        name: {"model": "m", "provider": name} for name in ("one", "two")
    }
    shop.defaults.update(modelPreset="one")
    presets = shop.presets()
    assert {presets[name][0].section.api_base for name in ("one", "two")} == {
        "http://10.0.0.1/v1",
        "http://10.0.0.2/v1",
    }


def test_custom_serves_its_own_section_too(shop: Any) -> None:
    shop.sell("custom", needs_key=False, adopts=True, models=["m-1"])
    shop.config["providers"] = {"custom": {"apiBase": "http://10.0.0.1/v1"}}
    shop.defaults.update(model="llama")
    choice = shop.chosen()
    assert (choice.provider, choice.model, choice.alias) == ("custom", "llama", "")
    shop.defaults.pop("model")
    assert shop.chosen().model == "m-1", "without a model its server is asked"


def test_an_adopted_server_is_asked_for_its_model_with_its_own_section(shop: Any) -> None:
    shop.sell("custom", needs_key=False, adopts=True, models=["m-1"])
    shop.config["providers"] = {"lab": {"apiBase": "http://10.0.0.1/v1"}}
    choice = shop.chosen()
    assert (choice.provider, choice.model, choice.alias) == ("custom", "m-1", "lab")
    (vendor,) = shop.opened
    assert vendor.config.api_base == "http://10.0.0.1/v1" and vendor.context.id == "providers.lab"


def test_without_custom_the_section_names_it(shop: Any) -> None:
    _vendors(shop)
    shop.config["providers"] = {"myCloud": {"apiBase": "http://10.1.2.3/v1"}}
    shop.defaults.update(provider="myCloud", model="llama")
    with pytest.raises(PluginMissing) as caught:
        shop.chosen()
    assert "pip install nanobot-provider-custom" in caught.value.remedy


# --- servers on this machine ---------------------------------------------------------------------


@pytest.fixture
def port() -> Any:
    """Return the port of a socket that listens, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_server_that_runs_here_is_found(shop: Any, port: int, closed_port: int) -> None:
    _vendors(shop)
    for name, at in (("vllm", closed_port), ("ollama", port)):
        shop.sell(
            name,
            needs_key=False,
            title=name.title(),
            models=["llama-3", "phi"],
            probe_url=f"http://127.0.0.1:{at}/v1",
        )
    choice = shop.chosen()
    assert (choice.provider, choice.model) == ("ollama", "llama-3")
    assert choice.reason == "Ollama is running"
    assert shop.models.notices == [
        f"Asking ollama/llama-3: Ollama runs at http://127.0.0.1:{port}/v1."
    ]


async def _hangs() -> Any:
    await asyncio.Event().wait()


def _raises(error: BaseException) -> Any:
    async def models() -> Any:
        raise error

    return models


@pytest.mark.parametrize(
    "models",
    [
        [],
        _hangs,
        _raises(AuthError("no")),
        _raises(KeyError("data")),
        _raises(TimeoutError()),
        [object()],
    ],
)
def test_a_server_that_does_not_say_what_it_offers_is_passed_over(
    shop: Any, port: int, models: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "PROBE_LIST_S", 0.02)
    _vendors(shop)
    shop.sell("ollama", needs_key=False, models=models, probe_url=f"http://127.0.0.1:{port}/v1")
    assert shop.chosen().provider == "offline"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:99999/v1", "nonsense", "http://[::1/v1", "http:"]
)
def test_an_address_that_is_none_is_passed_over(shop: Any, url: str) -> None:
    _vendors(shop)
    shop.sell("odd", needs_key=False, models=["m"], probe_url=url)
    assert shop.chosen().provider == "offline"


def test_nobody_is_probed_when_something_is_set_up(shop: Any, port: int) -> None:
    _vendors(shop)
    shop.sell(
        "ollama",
        needs_key=False,
        models=_raises(AssertionError("asked")),
        probe_url=f"http://127.0.0.1:{port}/v1",
    )
    shop.environ.update(OPENAI_API_KEY="sk-1")
    assert shop.chosen().provider == "openai" and not shop.opened


def test_a_server_of_ones_own_is_asked_for_its_first_model(shop: Any) -> None:
    _vendors(shop)
    shop.sell("ollama", needs_key=False, models=["llama-3"])
    shop.config["providers"] = {"ollama": {"apiBase": "http://10.0.0.1:11434/v1"}}
    choice = shop.chosen()
    assert (choice.provider, choice.model) == ("ollama", "llama-3")


def test_nothing_at_all_is_set_up(shop: Any) -> None:
    _vendors(shop)
    choice = shop.chosen()
    assert (choice.provider, choice.model) == ("offline", "offline")
    (notice,) = shop.models.notices
    assert "pip install nanobot-provider-openai" in notice and "nanobot onboard" in notice


def test_a_vendor_without_its_key_is_told_by_the_variable(shop: Any) -> None:
    shop.sell("deepseek", env_keys=("DEEPSEEK_API_KEY",), default_model="d")
    with pytest.raises(ConfigError, match="no model is set up") as caught:
        shop.chosen()
    assert "Set DEEPSEEK_API_KEY" in caught.value.remedy


def test_nothing_at_all_is_installed(shop: Any) -> None:
    with pytest.raises(ConfigError, match="no model is set up"):
        shop.chosen()


# --- presets and fallbacks -----------------------------------------------------------------------


def _presets(shop: Any) -> None:
    _vendors(shop)
    shop.environ.update(OPENAI_API_KEY="sk-1", DEEPSEEK_API_KEY="ds-1")
    shop.defaults.update(model="gpt-5", maxTokens=111, contextWindowTokens=50_000)
    shop.config["modelPresets"] = {
        "fast": {"model": "gpt-mini", "temperature": 0.7, "maxTokens": 22},
        "deep": {"model": "deepseek-r1", "reasoningEffort": "high"},
    }


def test_presets_by_name(shop: Any) -> None:
    _presets(shop)
    presets = shop.presets()
    assert {name: made[0].model for name, made in presets.items()} == {
        "": "gpt-5",
        "fast": "gpt-mini",
        "deep": "deepseek-r1",
    }
    fast, default = presets["fast"][0], presets[""][0]
    assert (fast.temperature, fast.max_tokens, fast.window) == (0.7, 22, 200_000)
    assert (default.max_tokens, default.window, default.budget) == (111, 50_000, 48_865)
    assert presets["deep"][0].effort == "high"


def test_the_active_preset_is_the_default(shop: Any) -> None:
    _presets(shop)
    shop.defaults.update(modelPreset="deep")
    assert shop.chosen().model == "deepseek-r1"
    assert shop.chosen(preset="fast").model == "gpt-mini"
    assert shop.chosen(preset="default").model == "gpt-5"
    assert shop.chosen(model="gpt-9").model == "gpt-9"


def test_a_preset_that_is_not_there(shop: Any) -> None:
    _presets(shop)
    with pytest.raises(ConfigError, match="'slow'") as caught:
        shop.chosen(preset="slow")
    assert "fast" in caught.value.remedy and "deep" in caught.value.remedy


def test_a_preset_that_can_not_be_used_is_left_out(shop: Any) -> None:
    _presets(shop)
    shop.config["modelPresets"]["far"] = {"model": "m", "provider": "starlight"}
    presets = shop.presets()
    assert "far" not in presets and presets[""][0].model == "gpt-5"
    assert any("'far' can not be used" in notice for notice in shop.models.notices)
    with pytest.raises(ConfigError):
        shop.presets(preset="far")


def test_fallbacks_by_name_and_in_place(shop: Any) -> None:
    _presets(shop)
    shop.defaults["fallbackModels"] = [
        "deep",
        {"model": "gpt-mini", "maxTokens": 5},
        {"model": "x", "provider": "deepseek", "temperature": 0.9, "reasoningEffort": "low"},
    ]
    presets = shop.presets()
    for made in presets.values():
        assert [choice.model for choice in made[1:]] == ["deepseek-r1", "gpt-mini", "x"]
    named, short, other = presets[""][1:]
    assert named.effort == "high" and named.max_tokens == 8192
    assert (short.max_tokens, short.window) == (5, 50_000), "the rest is inherited"
    assert (other.provider, other.temperature, other.max_tokens) == ("deepseek", 0.9, 111)
    assert other.effort == "low"


def test_a_fallback_that_can_not_be_used_is_left_out(shop: Any) -> None:
    _presets(shop)
    shop.defaults["fallbackModels"] = [{"model": "m", "provider": "starlight"}, "fast"]
    assert [choice.model for choice in shop.presets()[""]] == ["gpt-5", "gpt-mini"]
    assert any("'starlight' is not installed" in notice for notice in shop.models.notices)


def test_nothing_is_told_twice(shop: Any) -> None:
    _presets(shop)
    shop.config["providers"] = {"azureOpenai": {"apiKey": "${NO_SUCH_VARIABLE}"}}
    shop.presets()
    assert len(shop.models.notices) == len(set(shop.models.notices)) == 1


def test_a_vendor_with_several_keys_is_asked_with_each(shop: Any) -> None:
    shop.sell("acme", default_model="m", keywords=("acme",))
    shop.config["providers"] = {
        "acme": {"apiKeys": ["key-one-1", "key-two-2", "key-three-3"], "requestsPerMinute": 9}
    }
    shop.defaults["model"] = "acme/m"
    choices = shop.presets()[""]
    assert [choice.credential for choice in choices] == ["acme", "acme#2", "acme#3"]
    assert [c.section.api_key.reveal() for c in choices[1:]] == ["key-two-2", "key-three-3"]
    assert {choice.requests_per_minute for choice in choices} == {9}


def test_a_model_whose_vendor_is_known_by_its_name_names_the_missing_key(shop: Any) -> None:
    shop.sell("acme", default_model="m", keywords=("acme",), env_keys=("ACME_KEY",))
    shop.defaults["model"] = "acme-large-2"
    with pytest.raises(ConfigError) as caught:
        shop.presets()
    assert (
        caught.value.message
        == "provider 'acme' has no key, so model 'acme-large-2' can not be asked"
    )
    assert caught.value.remedy.startswith("Set ACME_KEY in the environment")
