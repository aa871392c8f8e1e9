"""What Kimi Coding does its own way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
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
from nanobot.provider import ModelFinish
from nanobot_testing import load_spec, open_spec, run
from nanobot_testing.contracts.provider import KEY, answer, ask, collect
from nanobot_testing.servers.messages import MessagesServer
from nanobot_testing.servers.wire import json_reply

PLUGIN = "providers.kimi_coding"
MODEL = "kimi-for-coding"
Check = Callable[[Any, MessagesServer], Awaitable[None]]


def talk(folder: Path, check: Check, **section: object) -> None:
    """Run a check with the provider and a server of its dialect."""

    async def go() -> None:
        async with MessagesServer() as server:
            whole = {"apiKey": KEY, "apiBase": server.base_url, **section}
            async with open_spec(load_spec(PLUGIN), whole, folder, plugin=PLUGIN) as provider:
                await check(provider, server)

    run(go())


def called(*reasoning: ReasoningBlock) -> tuple[Any, ...]:
    """Return a history in which a tool was called after some reasoning."""
    call = ToolCall(id="toolu_1", name="read_file", arguments='{"path": "a"}')
    use = ToolUse(call=call, result=ToolResult.ok("text"))
    said = AssistantMessage(tool_uses=(use,), reasoning=reasoning)
    return (UserMessage(parts=(Text(text="read it"),)), said)


def test_it_says_who_it_is_and_where_it_goes(tmp_path: Path) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        server.reply(server.text("ok"))
        assert answer(await collect(provider.stream(ask(model=MODEL)))) == "ok"
        sent = server.requests[-1]
        assert sent.path == "/v1/messages" and sent.json["model"] == MODEL
        assert sent.headers["user-agent"].startswith("nanobot/"), "no other program's name"
        assert sent.headers["x-api-key"] == KEY

    talk(tmp_path, check)


def test_every_call_in_the_history_carries_thinking(tmp_path: Path) -> None:
    """Its server thinks unasked, and refuses calls whose thinking is missing."""

    async def check(provider: Any, server: MessagesServer) -> None:
        own = ReasoningBlock(text="I look.", dialect="anthropic", opaque={"model": MODEL})
        for reasoning, back in (((own,), "I look."), ((), "(not recorded)")):
            server.reply(server.text("ok"))
            await collect(provider.stream(ask(model=MODEL, messages=called(*reasoning))))
            said = server.requests[-1].json["messages"][1]["content"]
            assert [block["type"] for block in said] == ["thinking", "tool_use"]
            assert said[0]["thinking"] == back

    talk(tmp_path, check)


def test_thinking_without_a_signature_is_kept(tmp_path: Path) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        server.reply(server.thinking(["I think."], "Answer."))
        finish = (await collect(provider.stream(ask(model=MODEL))))[-1]
        assert isinstance(finish, ModelFinish) and finish.reasoning[0].text == "I think."

    talk(tmp_path, check)


def test_a_budget_is_asked_for_by_effort(tmp_path: Path) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        server.reply(server.text("ok"))
        await collect(provider.stream(ask(model=MODEL, reasoning_effort="high")))
        thinking = server.requests[-1].json["thinking"]
        assert thinking == {"type": "enabled", "budget_tokens": 8192}

    talk(tmp_path, check)


@pytest.mark.parametrize("caching", [True, False])
def test_cache_marks_can_be_switched_off(tmp_path: Path, caching: bool) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        server.reply(server.text("ok"))
        await collect(provider.stream(ask(model=MODEL)))
        assert (b"cache_control" in server.requests[-1].body) is caching

    talk(tmp_path, check, promptCaching=caching)


def test_extras_are_sent(tmp_path: Path) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        server.reply(server.text("ok"))
        await collect(provider.stream(ask(model=MODEL)))
        sent = server.requests[-1]
        assert sent.headers["x-team"] == "blue" and sent.path.endswith("?a=1")
        assert sent.json["metadata"] == {"user_id": "u"}

    extra = {"metadata": {"user_id": "u"}}
    talk(tmp_path, check, extraHeaders={"X-Team": "blue"}, extraQuery={"a": "1"}, extraBody=extra)


@pytest.mark.parametrize(
    ("status", "error", "expected", "says"),
    [
        (
            401,
            {"type": "authentication_error", "message": "Invalid"},
            errors.AuthError,
            "kimiCoding",
        ),
        (402, {"type": "error", "message": "membership"}, errors.QuotaError, "kimi.com/code"),
        (429, {"type": "rate_limit_error", "message": "overloaded"}, errors.RateLimitError, "Wait"),
        (400, {"type": "invalid_request_error", "message": "x"}, errors.BadRequest, "kimiCoding"),
    ],
)
def test_refusals_name_the_vendor(
    tmp_path: Path, status: int, error: dict[str, str], expected: type, says: str
) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        server.reply(json_reply({"type": "error", "error": error}, status=status))
        with pytest.raises(errors.ProviderError) as caught:
            await collect(provider.stream(ask(model=MODEL)))
        assert type(caught.value) is expected
        assert caught.value.provider == "kimi_coding"
        assert "Kimi Coding" in caught.value.message and says in str(caught.value)
        assert "providers.anthropic" not in str(caught.value)
        assert "claude.com" not in str(caught.value)

    talk(tmp_path, check)


def test_a_missing_key_names_its_variable_and_its_page(tmp_path: Path) -> None:
    async def go() -> None:
        async with open_spec(load_spec(PLUGIN), {}, tmp_path, plugin=PLUGIN) as provider:
            with pytest.raises(errors.AuthError) as caught:
                await collect(provider.stream(ask(model=MODEL)))
            assert "KIMI_CODING_API_KEY or KIMI_API_KEY" in caught.value.remedy
            assert "providers.kimiCoding.apiKey" in caught.value.remedy

    run(go())


def test_the_record_says_the_same_as_the_spec() -> None:
    spec = load_spec(PLUGIN)
    assert spec.options["env_keys"] == spec.env_keys and spec.needs_key
    assert "ANTHROPIC_API_KEY" not in spec.env_keys, "another vendor's key must not go there"
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    facts = (str(spec.options["base_url"]), f"`{spec.default_model}`", *spec.env_keys)
    assert not [fact for fact in facts if fact not in readme]
