"""Vendors that copy the Messages API, as data."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nanobot import errors
from nanobot.messages import (
    AssistantMessage,
    ReasoningBlock,
    Text,
    ToolCall,
    ToolResult,
    ToolUse,
    UserMessage,
)
from nanobot.specs import ProviderSpec
from nanobot_provider_anthropic.convert import conversation
from nanobot_provider_anthropic.faults import Faults
from nanobot_provider_anthropic.vendor import Vendor
from nanobot_testing import load_spec, open_spec, run
from nanobot_testing.contracts.provider import KEY, ask, collect
from nanobot_testing.servers.messages import MessagesServer

OPTIONS: dict[str, object] = {
    "title": "Acme",
    "base_url": "https://api.acme.test",
    "env_keys": ("ACME_API_KEY", "ACME_TOKEN"),
    "keys_page": "https://acme.test/keys",
    "billing_page": "https://acme.test/pay",
}


def acme(**options: object) -> ProviderSpec:
    """Return the spec of a vendor of that name."""
    return replace(load_spec("providers.anthropic"), options={**OPTIONS, **options})


def history(*reasoning: ReasoningBlock) -> tuple[Any, ...]:
    use = ToolUse(call=ToolCall(id="a", name="f", arguments="{}"), result=ToolResult.ok("x"))
    asked = UserMessage(parts=(Text(text="hi"),))
    return (asked, AssistantMessage(tool_uses=(use,), reasoning=reasoning))


def test_without_options_it_is_anthropic() -> None:
    vendor = Vendor.from_options(load_spec("providers.anthropic").options)
    assert vendor == Vendor() and vendor.base_url == "https://api.anthropic.com"
    assert vendor.env_keys == load_spec("providers.anthropic").env_keys


@pytest.mark.parametrize(
    ("options", "named"),
    [({"base_ulr": "x"}, "base_ulr"), ({"replay_thinking": "loudly"}, "replay_thinking")],
)
def test_a_wrong_option_is_named(tmp_path: Path, options: dict[str, object], named: str) -> None:
    async def go() -> None:
        async with open_spec(acme(**options), {}, tmp_path, plugin="providers.acme"):
            await asyncio.sleep(0)

    with pytest.raises(errors.PluginError, match=named) as caught:
        run(go())
    assert "providers.acme" in caught.value.message and caught.value.remedy


@pytest.mark.parametrize(
    ("section", "case", "says"),
    [
        ({}, "auth", ("providers.myAcme.apiKey or ACME_API_KEY or ACME_TOKEN", "acme.test/keys")),
        ({}, "quota", ("acme.test/pay",)),
        ({}, "bad_request", ("the settings in providers.myAcme", "Acme refused")),
        ({"apiKey": None}, "", ("ACME_API_KEY or ACME_TOKEN", "acme.test/keys", "for Acme")),
    ],
)
def test_errors_name_the_vendor(
    tmp_path: Path, section: dict[str, object], case: str, says: tuple[str, ...]
) -> None:
    async def go() -> None:
        async with MessagesServer() as server:
            whole = {"apiKey": KEY, "apiBase": server.base_url, **section}
            async with open_spec(acme(), whole, tmp_path, plugin="providers.my_acme") as provider:
                if case:
                    server.reply(server.failure(case))
                with pytest.raises(errors.ProviderError) as caught:
                    await collect(provider.stream(ask()))
                assert caught.value.provider == "my_acme"
                assert all(words in str(caught.value) for words in says)
                assert "providers.anthropic" not in str(caught.value)
                assert "claude.com" not in str(caught.value)

    run(go())


@pytest.mark.parametrize("fault", [ValueError("x"), OSError("x")])
def test_failures_without_an_answer_name_it_too(fault: Exception) -> None:
    faults = Faults(name="acme", section="providers.acme", vendor=Vendor.from_options(OPTIONS))
    made = faults.translate(fault, model="m")
    assert "Acme" in made.message and "providers.acme" in made.remedy
    assert "Acme" in faults.broken("m").message and faults.broken("m").provider == "acme"


@pytest.mark.parametrize(
    ("replay", "blocks", "kinds"),
    [
        ("signed", [("own", "s")], ["thinking", "tool_use"]),
        ("signed", [("own", "")], ["tool_use"]),
        ("all", [("own", "")], ["thinking", "tool_use"]),
        ("all", [], ["tool_use"]),
        ("required", [("own", "")], ["thinking", "tool_use"]),
        ("required", [], ["thinking", "tool_use"]),
        ("required", [("other's", "s")], ["thinking", "tool_use"]),
    ],
)
def test_thinking_goes_back_as_the_vendor_wants(
    replay: Any, blocks: list[tuple[str, str]], kinds: list[str]
) -> None:
    reasoning = tuple(
        ReasoningBlock(
            text=text,
            dialect="anthropic",
            opaque={"model": "m" if text == "own" else "other", "signature": signature},
        )
        for text, signature in blocks
    )
    said = conversation(history(*reasoning), "m", replay)[1]["content"]
    assert [block["type"] for block in said] == kinds
    assert "other's" not in str(said)


def test_answers_without_calls_need_no_thinking() -> None:
    said = conversation(
        (
            UserMessage(parts=(Text(text="hi"),)),
            AssistantMessage(text="a"),
            UserMessage(parts=(Text(text="b"),)),
        ),
        "m",
        "required",
    )
    assert [block["type"] for block in said[1]["content"]] == ["text"]
