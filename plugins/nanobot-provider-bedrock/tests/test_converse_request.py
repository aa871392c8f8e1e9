"""What is sent: the conversation, cache points, reasoning, and the configuration's share."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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
from nanobot_provider_bedrock.convert import body, encode
from nanobot_testing.contracts.provider import ask, collect
from nanobot_testing.servers.converse import fault_in

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NEWEST = "anthropic.claude-opus-5-v1"
NOVA = "amazon.nova-pro-v1:0"
LLAMA = "meta.llama3-3-70b-instruct-v1:0"
POINT = {"cachePoint": {"type": "default"}}


def user(*parts: Any) -> UserMessage:
    return UserMessage(parts=parts or (Text(text="hi"),))


def used(call_id: str = "a", *, result: ToolResult | None = None) -> ToolUse:
    call = ToolCall(id=call_id, name="read_file", arguments='{"path": 1}')
    return ToolUse(call=call, result=result or ToolResult.ok("content"))


def made(extra: dict[str, Any] | None = None, caching: bool = False, **changes: Any) -> Any:
    return body(ask(**{"model": CLAUDE, **changes}), caching=caching, extra=extra or {})


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
    st.sampled_from(["a", "ü|b", "", "x" * 99]) | texts,
    texts,
    st.sampled_from(["{}", '{"a": 1}', '{"a": NaN}', "[1]", "{", ""]) | texts,
)
uses = st.builds(
    lambda call, kind, content: ToolUse(
        call=call, result=ToolResult(parts=tuple(content), kind=kind)
    ),
    calls,
    st.sampled_from(["", "failed"]),
    st.lists(parts, max_size=2),
)
histories = st.lists(
    st.one_of(
        st.builds(lambda content: UserMessage(parts=tuple(content)), st.lists(parts, max_size=2)),
        st.builds(
            lambda text, called: AssistantMessage(text=text, tool_uses=tuple(called)),
            texts,
            st.lists(uses, max_size=3),
        ),
    ),
    max_size=6,
)


@settings(deadline=None, max_examples=60)
@given(histories, st.sampled_from([CLAUDE, NEWEST, NOVA, LLAMA]), st.booleans())
def test_any_history_makes_a_request_that_the_vendor_takes(
    history: list[Message], model: str, tools: bool
) -> None:
    changes = {} if tools else {"tools": ()}
    request = ask(model=model, messages=tuple(history), **changes)
    sent = json.loads(encode(body(request, caching=True, extra={})))
    assert fault_in(sent) == ""
    count = sum(len(m.tool_uses) for m in history if isinstance(m, AssistantMessage))
    assert json.dumps(sent["messages"]).count('"toolResult"') >= count


def test_words_pictures_calls_and_results() -> None:
    png = Image(data=b"\x89PNG", media_type="image/png", name="cat")
    svg = Image(data=b"<svg/>", media_type="image/svg+xml", name="plan")
    failed = used("b", result=ToolResult.error("not_found", "no file"))
    shot = used("c", result=ToolResult.ok(png))
    history = (user(Text(text="see"), png, svg), AssistantMessage(tool_uses=(used(), failed, shot)))
    first, call, result = made(messages=history)["messages"]
    data = {"format": "png", "source": {"bytes": base64.b64encode(png.data).decode()}}
    assert first["content"] == [{"text": "see"}, {"image": data}, {"text": "[image: plan]"}]
    assert call["content"][0] == {
        "toolUse": {"toolUseId": "a", "name": "read_file", "input": {"path": 1}}
    }
    told = [block["toolResult"] for block in result["content"]]
    assert told[0] == {"toolUseId": "a", "content": [{"text": "content"}]}
    assert told[1]["status"] == "error" and told[2]["content"] == [{"image": data}]


def test_system_limits_and_tools() -> None:
    sent = made(temperature=1.7, max_tokens=0)
    assert sent["system"] == [{"text": "You are a test."}]
    assert sent["inferenceConfig"] == {"maxTokens": 1, "temperature": 1.0}
    (tool,) = sent["toolConfig"]["tools"]
    assert tool["toolSpec"]["name"] == "read_file"
    assert tool["toolSpec"]["inputSchema"]["json"]["required"] == ["path"]
    assert "additionalModelRequestFields" not in sent
    assert "toolConfig" not in made(tools=()) and "toolConfig" not in made(tool_choice="none")


def test_a_history_with_calls_has_a_tool_even_if_none_may_be_called() -> None:
    history = (user(), AssistantMessage(tool_uses=(used(),)))
    for changes in ({"tools": ()}, {"tool_choice": "none"}):
        (tool,) = made(messages=history, **changes)["toolConfig"]["tools"]
        assert tool["toolSpec"]["name"] == "noop"


# --- cache points -------------------------------------------------------------------------------


def test_cache_points_stand_behind_what_stays() -> None:
    history = (user(), AssistantMessage(text="a"), user(), AssistantMessage(text="b"), user())
    system = (Segment(name="a", text="A"), Segment(name="b", text="B"))
    sent = made(caching=True, messages=history, system=system)
    assert sent["system"][-1] == sent["toolConfig"]["tools"][-1] == POINT
    marked = [message["content"][-1] == POINT for message in sent["messages"]]
    assert marked == [False, False, True, False, True]
    assert json.dumps(sent).count("cachePoint") == 4


@pytest.mark.parametrize(
    ("model", "count"),
    [
        (CLAUDE, 3),
        (NOVA, 2),
        (LLAMA, 0),
        ("anthropic.claude-3-haiku-20240307-v1:0", 0),
        ("anthropic.claude-3-5-haiku-20241022-v1:0", 3),
        ("anthropic.claude-v2:1", 0),
    ],
)
def test_only_models_that_know_them_get_cache_points(model: str, count: int) -> None:
    assert json.dumps(made(caching=True, model=model)).count("cachePoint") == count
    assert "cachePoint" not in json.dumps(made(caching=False, model=model))


# --- reasoning ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "effort", "fields", "limits"),
    [
        (CLAUDE, None, None, {"maxTokens": 1000, "temperature": 0.3}),
        (
            CLAUDE,
            "high",
            {"thinking": {"type": "enabled", "budget_tokens": 8192}},
            {"maxTokens": 12288},
        ),
        (
            NEWEST,
            "low",
            {
                "thinking": {"type": "adaptive", "display": "summarized"},
                "output_config": {"effort": "low"},
            },
            {"maxTokens": 1000},
        ),
        (NEWEST, None, None, {"maxTokens": 1000}),
        ("openai.gpt-oss-120b-1:0", "max", {"reasoning_effort": "high"}, None),
        ("openai.gpt-oss-120b-1:0", "minimal", {"reasoning_effort": "low"}, None),
        (
            "us.amazon.nova-2-lite-v1:0",
            "medium",
            {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}},
            None,
        ),
        (
            "us.amazon.nova-2-lite-v1:0",
            "max",
            {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}},
            {},
        ),
        (LLAMA, "high", None, None),
    ],
)
def test_an_effort_in_the_words_of_each_model(
    model: str, effort: str | None, fields: Any, limits: Any
) -> None:
    sent = made(model=model, reasoning_effort=effort, temperature=0.3)
    assert sent.get("additionalModelRequestFields") == fields
    usual = {"maxTokens": 1000, "temperature": 0.3}
    assert sent["inferenceConfig"] == (usual if limits is None else limits)


def test_reasoning_goes_back_to_its_model_exactly_as_it_came(talk: Any) -> None:
    async def check(provider: Any, server: Any) -> None:
        server.reply(server.thinking(["I ", "think."], "Answer."))
        finish = (await collect(provider.stream(ask(model=CLAUDE))))[-1]
        assert isinstance(finish, ModelFinish)
        json.dumps([block.opaque for block in finish.reasoning])
        history = (user(), AssistantMessage(text="Answer.", reasoning=finish.reasoning), user())
        server.reply(server.text("ok"))
        await collect(provider.stream(ask(model=CLAUDE, messages=history)))
        told = {"text": "I think.", "signature": "c2lnbmVk"}
        assert server.requests[-1].json["messages"][1]["content"] == [
            {"reasoningContent": {"reasoningText": told}},
            {"text": "Answer."},
        ]
        await collect(provider.stream(ask(model=NOVA, messages=history)))
        assert "reasoningContent" not in json.dumps(server.requests[-1].json)

    talk(check)


def test_hidden_reasoning_goes_back_and_unsigned_does_not() -> None:
    own = {"model": CLAUDE}
    blocks = (
        ReasoningBlock(text="", dialect="anthropic", opaque={**own, "data": "c2VjcmV0"}),
        ReasoningBlock(text="unsigned", dialect="anthropic", opaque=own),
        ReasoningBlock(text="foreign", dialect="chat", opaque={"signature": "x"}),
    )
    sent = made(messages=(user(), AssistantMessage(text="a", reasoning=blocks), user()))
    assert sent["messages"][1]["content"] == [
        {"reasoningContent": {"redactedContent": "c2VjcmV0"}},
        {"text": "a"},
    ]


def test_an_open_step_that_began_without_thinking_goes_on_so() -> None:
    history = (user(), AssistantMessage(tool_uses=(used(),)))
    assert "additionalModelRequestFields" not in made(messages=history, reasoning_effort="high")
    thought = ReasoningBlock(
        text="hm", dialect="anthropic", opaque={"model": CLAUDE, "signature": "c2ln"}
    )
    history = (user(), AssistantMessage(tool_uses=(used(),), reasoning=(thought,)))
    assert (
        "thinking"
        in made(messages=history, reasoning_effort="high")["additionalModelRequestFields"]
    )


# --- configuration ------------------------------------------------------------------------------


def test_the_configurations_share_reaches_the_model() -> None:
    extra = {
        "top_k": 5,
        "thinking": {"budget_tokens": 2000},
        "inferenceConfig": {"topP": 0.5, "temperature": None},
        "guardrailConfig": {"guardrailIdentifier": "g"},
    }
    sent = made(extra, reasoning_effort=None, temperature=0.3)
    assert sent["additionalModelRequestFields"] == {
        "top_k": 5,
        "thinking": {"budget_tokens": 2000},
    }
    assert sent["inferenceConfig"] == {"maxTokens": 1000, "topP": 0.5}
    assert sent["guardrailConfig"] == {"guardrailIdentifier": "g"}


def test_headers_query_and_the_models_id(talk: Any) -> None:
    async def check(provider: Any, server: Any) -> None:
        server.reply(server.text("ok"))
        arn = "arn:aws:bedrock:eu-west-1:1:inference-profile/x.y-v1:0"
        await collect(provider.stream(ask(model=arn)))
        sent = server.requests[-1]
        path, _, query = sent.path.partition("?")
        quoted = "arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Fx.y-v1%3A0"
        assert path == f"/model/{quoted}/converse-stream" and query == "b=2"
        assert sent.headers["x-team"] == "blue"

    talk(check, config={"extraHeaders": {"X-Team": "blue"}, "extraQuery": {"b": "2"}})
