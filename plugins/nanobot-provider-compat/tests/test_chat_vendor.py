"""The vendor record."""

from __future__ import annotations

import pytest
from nanobot.errors import PluginError
from nanobot_provider_compat.models import matches
from nanobot_provider_compat.vendor import Vendor


def test_options_become_a_record() -> None:
    vendor = Vendor.from_options(
        {"base_url": "https://x.test", "strip_prefixes": ["a"], "models": {"m": {"top_p": None}}}
    )
    assert vendor.base_url == "https://x.test"
    assert vendor.strip_prefixes == ("a",)
    assert vendor.models == {"m": {"top_p": None}}
    assert vendor.needs_key and not vendor.local


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"base_ulr": "x"}, "base_ulr"),
        ({"thinking": "loudly"}, "thinking"),
        ({"token_field": "tokens"}, "token_field"),
        ({"local": "perhaps"}, "local"),
        ({"error_codes": {"1": "bad luck"}}, "error_codes"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, object], named: str) -> None:
    with pytest.raises(PluginError, match=named) as caught:
        Vendor.from_options(options, plugin="providers.acme")
    assert "providers.acme" in caught.value.message and caught.value.remedy


@pytest.mark.parametrize(
    ("prefixes", "model", "sent"),
    [
        ((), "acme/m-1", "acme/m-1"),
        (("acme",), "acme/m-1", "m-1"),
        (("acme",), "other/m-1", "other/m-1"),
        (("acme",), "acme", "acme"),
        (("acme",), "acme/", "acme/"),
        (("*",), "a/b/m-1", "m-1"),
        (("*",), "m-1", "m-1"),
    ],
)
def test_prefixes_are_cut(prefixes: tuple[str, ...], model: str, sent: str) -> None:
    assert Vendor(strip_prefixes=prefixes).model_id(model) == sent


def test_a_router_of_the_vendor_s_own_keeps_its_full_name() -> None:
    """``openrouter/auto`` arrives as ``auto``: its first segment also names the provider."""
    vendor = Vendor(aliases={"auto": "acme/auto"}, strip_prefixes=("acme",))
    assert vendor.model_id("auto") == vendor.model_id("acme/auto") == "acme/auto"
    assert vendor.model_id("automatic") == "automatic"


@pytest.mark.parametrize(
    ("pattern", "model", "found"),
    [
        ("gpt-5", "gpt-5", True),
        ("gpt-5", "openai/gpt-5.1-mini", True),
        ("gpt-5", "gpt-50", False),
        ("/o3", "o3-mini", True),
        ("/o3", "openai/o3", True),
        ("/o1", "pro1-mini", False),
        ("/o1", "marco-o1", False),
        ("/o3", "yolo3", False),
        ("kimi-k2.5", "moonshotai/Kimi-K2.5", True),
        ("kimi-k2.5", "kimi-k2.55", False),
        ("qwen3.6", "qwen3.6-plus", True),
        ("claude", "anthropic/claude-x", True),
    ],
)
def test_patterns_match_whole_tokens(pattern: str, model: str, found: bool) -> None:
    assert matches(pattern, model) is found
