"""What is sent: the conversation, thinking, cache breakpoints, and the configuration's share."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nanobot import errors
from nanobot.messages import (
    AssistantMessage,
    File,
    Image,
    Message,
    ReasoningBlock,
    Text,
    ToolCall,
    ToolResult,
    ToolUse,
    UserMessage,
)
from nanobot.provider import ModelFinish, Segment
from nanobot_provider_anthropic.client import split_base
from nanobot_provider_anthropic.config import AnthropicConfig
from nanobot_provider_anthropic.convert import body, conversation, encode
from nanobot_provider_anthropic.thinking import ANSWER_ROOM, BUDGETS, plan
from nanobot_testing import load_spec, open_spec, run
from nanobot_testing.contracts.provider import KEY, ask, collect
from nanobot_testing.servers.messages import MessagesServer, fault_in
from nanobot_testing.servers.wire import json_reply

Talk = Callable[..., None]
BUDGETED = "claude-haiku-4-5"
ADAPTIVE = "claude-sonnet-5-5"
EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "max")
LEVELS = ("low", "medium", "high", "xhigh", "max")


def user(text: str = "hi") -> UserMessage:
    return UserMessage(parts=(Text(text=text),))


def used(call_id: str, *, arguments: str = "{}", result: ToolResult | None = None) -> ToolUse:
    call = ToolCall(id=call_id, name="read_file", arguments=arguments)
    return ToolUse(call=call, result=result or ToolResult.ok("content"))


def made(caching: bool = True, extra: dict[str, Any] | None = None, **changes: Any) -> Any:
    return body(ask(**{"model": BUDGETED, **changes}), caching=caching, extra=extra or {})


def marks(sent: Any) -> list[Any]:
    blocks = [*sent.get("tools", []), *sent.get("system", [])]
    blocks += [block for message in sent["messages"] for block in message["content"]]
    return [block for block in blocks if "cache_control" in block]


# --- the conversation ---------------------------------------------------------------------------

texts = st.text(max_size=8) | st.sampled_from(["", "  ", "\ud800", "text"])
parts = st.one_of(
    st.builds(lambda text: Text(text=text), texts),
    st.builds(
        lambda kind: Image(data=b"x", media_type=kind),
        st.sampled_from(["image/png", "image/svg+xml"]),
    ),
    st.builds(lambda path: File(path=path), texts),
)
calls = st.builds(
    lambda call_id, name, arguments: ToolCall(id=call_id, name=name, arguments=arguments),
    st.sampled_from(["a", "a", "ü|b", "", "x" * 99]) | texts,
    texts,
    st.sampled_from(["{}", '{"a": 1}', '{"a": NaN}', "[1]", "{", ""]) | texts,
)
results = st.builds(
    lambda kind, made: ToolResult(parts=tuple(made), kind=kind),
    st.sampled_from(["", "failed"]),
    st.lists(parts, max_size=2),
)
uses = st.builds(lambda call, result: ToolUse(call=call, result=result), calls, results)
thoughts = st.builds(
    lambda text, dialect, opaque: ReasoningBlock(text=text, dialect=dialect, opaque=opaque),
    texts,
    st.sampled_from(["anthropic", "chat", "responses"]),
    st.sampled_from([{}, {"signature": ""}, {"signature": "s"}, {"data": "d"}]),
)
messages = st.lists(
    st.one_of(
        st.builds(
            lambda made, context: UserMessage(parts=tuple(made), context=context),
            st.lists(parts, max_size=2),
            texts,
        ),
        st.builds(
            lambda text, made, reasoning: AssistantMessage(
                text=text, tool_uses=tuple(made), reasoning=tuple(reasoning)
            ),
            texts,
            st.lists(uses, max_size=3),
            st.lists(thoughts, max_size=2),
        ),
    ),
    max_size=7,
)


@settings(deadline=None)
@given(messages, st.sampled_from([None, *EFFORTS]), st.sampled_from([BUDGETED, ADAPTIVE]))
def test_any_history_makes_a_request_that_the_vendor_takes(
    history: list[Message], effort: str | None, model: str
) -> None:
    request = ask(model=model, messages=tuple(history), reasoning_effort=effort)
    sent = json.loads(encode(body(request, caching=True, extra={})))
    assert fault_in(sent) == ""
    assert sent["messages"][0]["role"] == "user"
    count = sum(len(m.tool_uses) for m in history if isinstance(m, AssistantMessage))
    results_sent = [
        block["tool_use_id"]
        for message in sent["messages"]
        for block in message["content"]
        if block["type"] == "tool_result"
    ]
    assert len(results_sent) == len(set(results_sent)) == count


@settings(deadline=None)
@given(messages)
def test_a_history_reads_the_same_each_time_and_when_it_grows(history: list[Message]) -> None:
    first = conversation(history, BUDGETED)
    assert first == conversation(history, BUDGETED)
    grown = conversation([*history, user("more")], BUDGETED)
    assert grown[: len(first) - 1] == first[:-1], "what was sent once is cached"


def test_results_follow_their_calls_with_errors_marked() -> None:
    history = (
        user(),
        AssistantMessage(
            text="Both.",
            tool_uses=(used("a"), used("a", result=ToolResult.error("not_found", "no file"))),
        ),
        user("and then"),
    )
    sent = conversation(history, BUDGETED)
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    first, second = (block["id"] for block in sent[1]["content"][1:])
    assert first == "a" != second
    assert sent[2]["content"] == [
        {
            "type": "tool_result",
            "tool_use_id": "a",
            "content": [{"type": "text", "text": "content"}],
        },
        {
            "type": "tool_result",
            "tool_use_id": second,
            "content": [{"type": "text", "text": "no file"}],
            "is_error": True,
        },
        {"type": "text", "text": "and then"},
    ]


def test_same_roles_are_merged_and_a_leading_answer_gets_an_opener() -> None:
    history = (AssistantMessage(text="one"), AssistantMessage(text="two"), user("a"), user("b"))
    sent = conversation(history, BUDGETED)
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert [block["text"] for block in sent[1]["content"]] == ["one", "two"]
    assert [block["text"] for block in sent[2]["content"]] == ["a", "b"]


def test_an_answer_at_the_end_is_asked_to_go_on_not_dropped() -> None:
    sent = conversation((user(), AssistantMessage(text="begun")), BUDGETED)
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert sent[1]["content"] == [{"type": "text", "text": "begun"}]


def test_context_comes_after_the_words() -> None:
    message = UserMessage(parts=(Text(text="words"),), context="It is noon.")
    sent = conversation((message,), BUDGETED)
    assert [block["text"] for block in sent[0]["content"]] == ["words", "It is noon."]


def test_pictures_are_sent_and_others_are_mentioned() -> None:
    png = Image(data=b"\x89PNG", media_type="image/png", name="cat")
    svg = Image(data=b"<svg/>", media_type="image/svg+xml", name="plan")
    source = {
        "type": "base64",
        "media_type": "image/png",
        "data": base64.b64encode(b"\x89PNG").decode(),
    }
    expected = [
        {"type": "image", "source": source},
        {"type": "text", "text": "[image: plan]"},
        {"type": "text", "text": "[file: a.pdf]"},
    ]
    given_parts = (png, svg, File(path="a.pdf"))
    use = used("a", result=ToolResult(parts=given_parts))
    sent = conversation(
        (UserMessage(parts=given_parts), AssistantMessage(tool_uses=(use,))), BUDGETED
    )
    assert sent[0]["content"] == expected
    assert sent[2]["content"][0]["content"] == expected


# --- tools and parameters -----------------------------------------------------------------------


def test_tools_are_offered_and_may_be_forbidden() -> None:
    sent = made()
    assert sent["tools"][0]["name"] == "read_file" and "tool_choice" not in sent
    assert sent["tools"][0]["input_schema"]["required"] == ["path"]
    forbidden = made(tool_choice="none")
    assert forbidden["tool_choice"] == {"type": "none"}
    assert forbidden["tools"] == sent["tools"], "the cached prefix stays"
    assert "tools" not in made(tools=()) and "tool_choice" not in made(tools=())


def test_a_history_with_tools_is_sent_though_none_is_offered() -> None:
    history = (user(), AssistantMessage(tool_uses=(used("a"),)))
    sent = made(tools=(), messages=history)
    assert [tool["name"] for tool in sent["tools"]] == ["read_file"]
    assert sent["tool_choice"] == {"type": "none"}


def test_the_system_prompt_keeps_its_segments() -> None:
    segments = (
        Segment(name="a", text="One."),
        Segment(name="b", text=" "),
        Segment(name="c", text="Two."),
    )
    sent = made(caching=False, system=segments)
    assert [block["text"] for block in sent["system"]] == ["One.", "Two."]


@pytest.mark.parametrize(
    ("model", "effort", "expected"),
    [
        ("claude-haiku-4-5", None, 0.3),
        ("claude-haiku-4-5", "none", 0.3),
        ("claude-haiku-4-5", "low", None),
        ("claude-sonnet-4-6", None, 0.3),
        ("claude-sonnet-4-6", "high", None),
        ("claude-opus-4-7", None, None),
        ("claude-sonnet-5-5", "none", None),
        ("claude-mythos-preview", None, None),
        ("kimi-for-coding", None, 0.3),
    ],
)
def test_temperature_is_sent_where_it_is_taken(
    model: str, effort: str | None, expected: float | None
) -> None:
    sent = made(model=model, reasoning_effort=effort, temperature=0.3)
    assert sent.get("temperature") == expected


def test_temperature_stays_in_the_vendors_range() -> None:
    assert made(temperature=1.7)["temperature"] == 1.0


# --- thinking -----------------------------------------------------------------------------------


def test_a_higher_effort_never_asks_for_less() -> None:
    budgets = [BUDGETS[effort] for effort in EFFORTS]
    assert budgets[0] >= 1024 and budgets == sorted(set(budgets))
    for model in ("claude-sonnet-4-6", "claude-opus-4-8", "claude-opus-5-5", "claude-haiku-5-5"):
        levels = [plan(model, e, 8192).fields["output_config"]["effort"] for e in EFFORTS]
        ranks = [LEVELS.index(level) for level in levels]
        assert ranks == sorted(ranks), f"{model}: {levels}"
        assert ranks[1:4] == [0, 1, 2], f"{model}: {levels}"


@pytest.mark.parametrize("effort", EFFORTS)
def test_a_budget_leaves_room_for_the_answer(effort: str) -> None:
    sent = made(reasoning_effort=effort, max_tokens=1000)
    budget = sent["thinking"]["budget_tokens"]
    assert sent["thinking"]["type"] == "enabled"
    assert sent["max_tokens"] == budget + ANSWER_ROOM
    assert made(reasoning_effort=effort, max_tokens=50_000)["max_tokens"] == 50_000


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "level"),
    [
        ("claude-3-7-sonnet-20250219", "none", None, None),
        ("claude-sonnet-4-20250514", "adaptive", "enabled", None),
        ("claude-sonnet-4-6", "none", None, None),
        ("claude-sonnet-4-6", "minimal", None, "low"),
        ("claude-sonnet-4-6", "xhigh", "adaptive", "max"),
        ("claude-opus-4-7", "xhigh", "adaptive", "xhigh"),
        ("claude-opus-4-7", "none", None, None),
        ("claude-opus-5", "none", "disabled", None),
        ("claude-sonnet-5-5", "none", "disabled", None),
        ("claude-sonnet-5-5", "minimal", "disabled", "low"),
        ("claude-sonnet-5-5", "adaptive", "adaptive", None),
        ("claude-sonnet-5-5", None, None, None),
        ("claude-opus-5-5", "none", "adaptive", "low"),
        ("claude-fable-5", "minimal", "adaptive", "low"),
        ("claude-next", "high", "adaptive", "high"),
        ("anthropic/claude-opus-4-5", "high", "enabled", None),
        ("MiniMax-M3", "high", "enabled", None),
        ("notclaude-5", "none", None, None),
    ],
)
def test_thinking_is_asked_for_as_the_model_knows_it(
    model: str, effort: str | None, thinking: str | None, level: str | None
) -> None:
    fields = plan(model, effort, 8192).fields
    assert fields.get("thinking", {}).get("type") == thinking
    assert fields.get("output_config", {}).get("effort") == level


def test_thinking_goes_back_exactly_as_it_came(talk: Talk) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        server.reply(
            server.thinking(["I ", "think."], "", redacted="EmwK", calls=[("read_file", "{}")])
        )
        finish = (await collect(provider.stream(ask(model=ADAPTIVE))))[-1]
        assert isinstance(finish, ModelFinish)
        use = ToolUse(call=finish.tool_calls[0], result=ToolResult.ok("content"))
        history = (user(), AssistantMessage(tool_uses=(use,), reasoning=finish.reasoning))
        server.reply(server.text("done"))
        await collect(provider.stream(ask(model=ADAPTIVE, messages=history)))
        sent = server.requests[-1].json["messages"][1]["content"]
        assert sent[:2] == [
            {"type": "thinking", "thinking": "I think.", "signature": "EqQB-1=="},
            {"type": "redacted_thinking", "data": "EmwK"},
        ]
        assert [block["type"] for block in sent[2:]] == ["tool_use"]
        await collect(provider.stream(ask(model=BUDGETED, messages=history)))
        assert "signature" not in json.dumps(server.requests[-1].json["messages"])

    talk(check)


@pytest.mark.parametrize(
    "block",
    [
        ReasoningBlock(text="mine", dialect="chat", opaque={"signature": "s"}),
        ReasoningBlock(text="mine", dialect="anthropic"),
        ReasoningBlock(text="mine", dialect="anthropic", opaque={"signature": ""}),
        ReasoningBlock(text="mine", dialect="anthropic", opaque={"data": ""}),
        ReasoningBlock(
            text="mine", dialect="anthropic", opaque={"signature": "s", "model": "claude-other"}
        ),
    ],
)
def test_thinking_that_the_vendor_did_not_sign_stays_here(block: ReasoningBlock) -> None:
    history = (user(), AssistantMessage(text="a", reasoning=(block,)), user())
    assert "mine" not in json.dumps(conversation(history, BUDGETED))


def test_an_open_step_without_its_thinking_is_not_thought_about() -> None:
    """Within a budget the vendor refuses a last answer that calls a tool and did not think."""
    signed = ReasoningBlock(text="t", dialect="anthropic", opaque={"signature": "s"})
    foreign = (user(), AssistantMessage(tool_uses=(used("a"),)))
    own = (user(), AssistantMessage(tool_uses=(used("a"),), reasoning=(signed,)))
    assert "thinking" not in made(messages=foreign, reasoning_effort="high")
    assert "thinking" in made(messages=own, reasoning_effort="high")
    assert "thinking" in made(messages=(*foreign, user()), reasoning_effort="high")
    assert "thinking" in made(messages=foreign, reasoning_effort="high", model=ADAPTIVE)


# --- prompt caching -----------------------------------------------------------------------------


def test_four_breakpoints_at_most_each_at_the_end_of_what_stays() -> None:
    steps = tuple(AssistantMessage(tool_uses=(used(f"c{n}"),)) for n in range(5))
    segments = (Segment(name="a", text="One."), Segment(name="b", text="Two."))
    sent = made(messages=(user(), *steps), system=segments)
    assert len(marks(sent)) == 4
    assert "cache_control" in sent["tools"][-1]
    assert "cache_control" not in sent["system"][0] and "cache_control" in sent["system"][1]
    users = [message for message in sent["messages"] if message["role"] == "user"]
    assert all("cache_control" in message["content"][-1] for message in users[-2:])
    assert not any("cache_control" in message["content"][-1] for message in users[:-2])


def test_caching_can_be_switched_off() -> None:
    assert marks(made(caching=False)) == []
    assert len(marks(made(tools=(), system=()))) == 1


# --- configuration ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
def test_any_spelling_of_the_address_works(talk: Talk, path: str) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        server.reply(server.text("ok"))
        await collect(provider.stream(ask(model=BUDGETED)))
        assert server.requests[-1].path == "/v1/messages"

    talk(check, path=path)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://api.anthropic.com", ("https://api.anthropic.com", {})),
        (" https://gateway.example/anthropic/v1/ ", ("https://gateway.example/anthropic", {})),
        ("http://[::1]:8080/v1?x=1", ("http://[::1]:8080", {"x": "1"})),
        ("https://gateway.example/v1beta", ("https://gateway.example/v1beta", {})),
    ],
)
def test_an_address_is_split(address: str, expected: tuple[str, dict[str, str]]) -> None:
    assert split_base(address, "providers.anthropic") == expected


def test_the_configurations_share_reaches_the_server(talk: Talk) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        server.reply(server.text("ok"))
        await collect(provider.stream(ask(model=BUDGETED, reasoning_effort="low")))
        sent = server.requests[-1]
        assert sent.headers["x-team"] == "blue"
        assert sent.headers["x-api-key"] == KEY
        assert sent.headers["anthropic-version"] == "2023-06-01"
        path, _, query = sent.path.partition("?")
        assert path == "/deep/v1/messages" and sorted(query.split("&")) == ["a=1", "b=2"]
        assert sent.json["messages"][0]["content"][0]["text"] == "hi", "not replaced"
        assert sent.json["metadata"] == {"user_id": "u"}
        assert sent.json["thinking"]["display"] == "omitted"
        assert sent.json["thinking"]["type"] == "enabled"
        assert [tool["name"] for tool in sent.json["tools"]] == ["read_file", "web_search"]
        assert "max_tokens" in sent.json and sent.json["stream"] is True

    extra = {
        "messages": [],
        "stream": False,
        "metadata": {"user_id": "u"},
        "thinking": {"display": "omitted"},
        "tools": [{"type": "web_search_20250305", "name": "web_search"}],
    }
    config = {"extraBody": extra, "extraHeaders": {"X-Team": "blue"}, "extraQuery": {"b": "2"}}
    talk(check, config=config, path="/deep/v1?a=1")


def test_a_header_can_take_the_keys_place(talk: Talk) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        server.reply(server.text("ok"))
        await collect(provider.stream(ask(model=BUDGETED)))
        assert server.requests[-1].headers["authorization"] == "Bearer of-the-gateway"

    headers = {"Authorization": "Bearer of-the-gateway"}
    talk(check, config={"apiKey": None, "extraHeaders": headers})


def test_a_proxy_is_used(talk: Talk, tmp_path: Path) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        spec = load_spec("providers.anthropic")
        section = {"apiKey": KEY, "apiBase": "http://claude.invalid", "proxy": server.base_url}
        async with open_spec(spec, section, tmp_path) as proxied:
            server.reply(server.text("ok"))
            await collect(proxied.stream(ask(model=BUDGETED)))
        assert server.requests[-1].path == "http://claude.invalid/v1/messages"

    talk(check)


def test_without_a_key_nothing_is_sent(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-from-the-environment")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "from-the-environment")

    async def check(provider: Any, server: MessagesServer) -> None:
        for refused in (collect(provider.stream(ask(model=BUDGETED))), provider.list_models()):
            with pytest.raises(errors.AuthError) as caught:
                await refused
            assert "ANTHROPIC_API_KEY" in caught.value.remedy
            assert "providers.anthropic.apiKey" in caught.value.remedy
        assert server.requests == []

    talk(check, config={"apiKey": None})


@pytest.mark.parametrize(
    "section",
    [
        {"apiBase": "claude.example.com"},
        {"apiBase": "ftp://claude.example.com"},
        {"apiBase": "http://[::1"},
        {"apiKey": "sk-two\nlines-CANARY"},
        {"apiKey": "schlüssel-CANARY"},
        {"extraHeaders": {"x-note": "CANARY\r\nx-other: 1"}},
        {"proxy": "nonsense-CANARY"},
        {"proxy": "gopher://CANARY"},
    ],
)
def test_an_unusable_section_says_what_to_do(tmp_path: Path, section: dict[str, Any]) -> None:
    async def go() -> None:
        async with open_spec(
            load_spec("providers.anthropic"), {"apiKey": KEY, **section}, tmp_path
        ):
            pass

    with pytest.raises(errors.ConfigError) as caught:
        run(go())
    assert caught.value.remedy and "providers.anthropic" in caught.value.message
    assert "CANARY" not in str(caught.value)


def test_an_unusable_time_limit_says_what_to_do(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        raise AssertionError("it opened")

    for value in ("soon", "0", "-3", "nan"):
        monkeypatch.setenv("NANOBOT_STREAM_IDLE_TIMEOUT_S", value)
        with pytest.raises(errors.ConfigError, match="NANOBOT_STREAM_IDLE_TIMEOUT_S"):
            talk(check)


def test_the_section_reads_both_spellings() -> None:
    assert AnthropicConfig.model_validate({"promptCaching": False}).prompt_caching is False
    assert AnthropicConfig.model_validate({"prompt_caching": False}).prompt_caching is False


def test_redirects_do_not_carry_the_key_away(talk: Talk) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        async with MessagesServer() as other:
            server.reply(json_reply({}, status=308, location=f"{other.base_url}/v1/messages"))
            with pytest.raises(errors.BadRequest):
                await collect(provider.stream(ask(model=BUDGETED)))
            assert other.requests == []

    talk(check)
