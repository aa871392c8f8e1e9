"""What is sent: the conversation, reasoning, and the configuration's share."""

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
from nanobot.provider import ModelFinish
from nanobot.specs import ToolDefinition
from nanobot_provider_openai.convert import body, conversation, encode
from nanobot_provider_openai.models import efforts_of, reasoning_fields
from nanobot_testing import load_spec, open_spec, run
from nanobot_testing.contracts.provider import KEY, ask, collect
from nanobot_testing.servers.responses import ResponsesServer, fault_in
from nanobot_testing.servers.wire import Reply, json_reply, sse

Talk = Callable[..., None]
REASONING = "gpt-5.4-mini"
PLAIN = "gpt-4.1"
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def user(text: str = "hi") -> UserMessage:
    return UserMessage(parts=(Text(text=text),))


def used(call_id: str, *, arguments: str = "{}", result: ToolResult | None = None) -> ToolUse:
    call = ToolCall(id=call_id, name="read_file", arguments=arguments)
    return ToolUse(call=call, result=result or ToolResult.ok("content"))


def made(extra: dict[str, Any] | None = None, **changes: Any) -> Any:
    return body(ask(**{"model": REASONING, **changes}), summary=None, extra=extra or {})


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
ids = st.sampled_from(["a", "a", "ü|b", "", "x" * 99]) | texts
calls = st.builds(
    lambda call_id, name, arguments: ToolCall(id=call_id, name=name, arguments=arguments),
    ids,
    texts,
    st.sampled_from(["{}", '{"a": 1}', '{"a": NaN}', "[1]", "{", ""]) | texts,
)
results = st.builds(
    lambda kind, content: ToolResult(parts=tuple(content), kind=kind),
    st.sampled_from(["", "failed"]),
    st.lists(parts, max_size=2),
)
uses = st.builds(lambda call, result: ToolUse(call=call, result=result), calls, results)
thoughts = st.builds(
    lambda dialect, secret, before: ReasoningBlock(
        text="thought",
        dialect=dialect,
        opaque={
            "item": {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": secret},
            "before": before,
        },
    ),
    st.sampled_from(["responses", "chat", "anthropic"]),
    st.sampled_from(["", "gAAAA"]),
    ids,
)
messages = st.lists(
    st.one_of(
        st.builds(
            lambda content, context: UserMessage(parts=tuple(content), context=context),
            st.lists(parts, max_size=2),
            texts,
        ),
        st.builds(
            lambda text, called, reasoning: AssistantMessage(
                text=text, tool_uses=tuple(called), reasoning=tuple(reasoning)
            ),
            texts,
            st.lists(uses, max_size=3),
            st.lists(thoughts, max_size=2),
        ),
    ),
    max_size=7,
)


@settings(deadline=None, max_examples=60)
@given(messages)
def test_any_history_makes_a_request_that_the_vendor_takes(history: list[Message]) -> None:
    sent = json.loads(encode(body(ask(messages=tuple(history)), summary=None, extra={})))
    assert fault_in(sent) == ""
    outputs = [
        item["call_id"] for item in sent["input"] if item.get("type") == "function_call_output"
    ]
    count = sum(len(m.tool_uses) for m in history if isinstance(m, AssistantMessage))
    assert len(outputs) == len(set(outputs)) == count
    for item in sent["input"]:
        if item.get("type") == "function_call":
            assert isinstance(json.loads(item["arguments"]), dict)


@settings(deadline=None, max_examples=60)
@given(messages)
def test_a_history_reads_the_same_each_time_and_when_it_grows(history: list[Message]) -> None:
    first = conversation([user(), *history], REASONING)
    assert first == conversation([user(), *history], REASONING)
    assert conversation([user(), *history, user("more")], REASONING)[: len(first)] == first


def test_results_follow_their_calls_and_say_when_they_are_errors() -> None:
    history = (
        user(),
        AssistantMessage(
            text="Both.",
            tool_uses=(
                used("a", arguments='{"path": 1}'),
                used("a", result=ToolResult.error("not_found", "no file")),
            ),
        ),
    )
    items = conversation(history, REASONING)
    assert [item.get("type", item.get("role")) for item in items] == [
        "user",
        "message",
        "function_call",
        "function_call",
        "function_call_output",
        "function_call_output",
    ]
    assert items[2]["call_id"] == items[4]["call_id"] == "a" != items[3]["call_id"]
    assert items[2]["arguments"] == '{"path": 1}'
    assert [item["output"] for item in items[4:]] == ["content", "[error: not_found] no file"]


def test_context_comes_after_the_words() -> None:
    message = UserMessage(parts=(Text(text="words"),), context="It is noon.")
    items = conversation((message,), REASONING)
    assert [part["text"] for part in items[0]["content"]] == ["words", "It is noon."]


def test_pictures_are_sent_and_others_are_mentioned() -> None:
    png = Image(data=b"\x89PNG", media_type="image/png", name="cat")
    svg = Image(data=b"<svg/>", media_type="image/svg+xml", name="plan")
    url = f"data:image/png;base64,{base64.b64encode(png.data).decode()}"
    expected = [
        {"type": "input_image", "detail": "auto", "image_url": url},
        {"type": "input_text", "text": "[image: plan]"},
        {"type": "input_text", "text": "[file: a.pdf]"},
    ]
    given_parts = (png, svg, File(path="a.pdf"))
    use = used("a", result=ToolResult(parts=given_parts))
    items = conversation(
        (UserMessage(parts=given_parts), AssistantMessage(tool_uses=(use,))), REASONING
    )
    assert items[0]["content"] == expected
    assert items[2]["output"] == expected


def test_nothing_is_stored_with_the_vendor_and_caches_are_found_again() -> None:
    sent = made(cache_key="session-1", max_tokens=3)
    assert sent["store"] is False and sent["stream"] is True
    assert sent["prompt_cache_key"] == "session-1"
    assert sent["instructions"] == "You are a test."
    assert sent["max_output_tokens"] == 16, "the vendor refuses less"
    assert "previous_response_id" not in sent


def test_tools_are_offered_and_may_be_forbidden() -> None:
    sent = made()
    assert sent["tools"][0]["name"] == "read_file" and sent["tools"][0]["strict"] is False
    assert sent["tools"][0]["parameters"]["required"] == ["path"]
    assert "tool_choice" not in sent
    forbidden = made(tool_choice="none")
    assert forbidden["tool_choice"] == "none" and forbidden["tools"] == sent["tools"]
    assert "tools" not in made(tools=()) and "tool_choice" not in made(tools=())


# --- hosted tools -------------------------------------------------------------------------------


def hosted(*names: str, **changes: Any) -> Any:
    request = ask(**{"model": REASONING, **changes})
    return body(request, summary=None, extra={}, hosted=names)


def test_hosted_tools_are_off_unless_they_are_asked_for() -> None:
    assert [tool["type"] for tool in made()["tools"]] == ["function"]
    sent = hosted("code_interpreter")
    assert sent["tools"][1] == {"type": "code_interpreter", "container": {"type": "auto"}}
    assert sent["include"] == ["reasoning.encrypted_content"]
    forbidden = hosted("code_interpreter", tool_choice="none")
    assert [tool["type"] for tool in forbidden["tools"]] == ["function"]


def test_a_hosted_search_takes_the_place_of_our_own() -> None:
    search = ToolDefinition(name="web_search", description="Search.", parameters={})
    tools = (search, ToolDefinition(name="read_file", description="Read.", parameters={}))
    assert [tool["name"] for tool in made(tools=tools)["tools"]] == ["web_search", "read_file"]
    for sent in (
        hosted("web_search", tools=tools),
        made({"tools": [{"type": "web_search_preview"}]}, tools=tools),
    ):
        assert [tool.get("name") for tool in sent["tools"]] == ["read_file", None]
        assert "web_search_call.action.sources" in sent["include"]


def test_reasoning_that_led_to_a_hosted_call_does_not_go_back(talk: Talk) -> None:
    def item(index: int, **fields: Any) -> bytes:
        kind = "response.output_item.done"
        return sse({"type": kind, "output_index": index, "item": fields}, event=kind)

    async def check(provider: Any, server: ResponsesServer) -> None:
        rs = {"type": "reasoning", "summary": [], "encrypted_content": "x"}
        text = {"type": "output_text", "text": "Found."}
        server.reply(
            Reply(
                body=[
                    item(0, id="rs_search", **rs),
                    item(1, id="ws", type="web_search_call"),
                    item(2, id="rs_text", **rs),
                    item(3, id="m", type="message", content=[text]),
                    sse({"type": "response.completed", "response": {"status": "completed"}}),
                ]
            )
        )
        finish = (await collect(provider.stream(ask(model=REASONING))))[-1]
        assert isinstance(finish, ModelFinish)
        answered = AssistantMessage(text="Found.", reasoning=finish.reasoning)
        items = conversation((user(), answered), REASONING)
        assert [entry.get("id") for entry in items] == [None, "rs_text", None]

    talk(check, config={"hostedTools": ["web_search"]})


# --- reasoning ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-5", ("minimal", "low", "medium", "high")),
        ("gpt-5-mini-2025-08-07", ("minimal", "low", "medium", "high")),
        ("openai/gpt-5.1", ("none", "low", "medium", "high")),
        ("gpt-5.4-mini", ("none", "low", "medium", "high", "xhigh")),
        ("gpt-5.6-luna", ("none", "low", "medium", "high", "xhigh", "max")),
        ("gpt-6-sol", ("none", "low", "medium", "high", "xhigh", "max")),
        ("gpt-5-pro", ("high",)),
        ("o3-mini", ("low", "medium", "high")),
        ("o1", ("low", "medium", "high")),
        ("gpt-4.1", ()),
        ("gpt-4o", ()),
        ("gpt-5-chat-latest", ()),
        ("chatgpt-4o-latest", ()),
        ("yolo3", None),
        ("pro1-mini", None),
        ("octopus", None),
        ("llama-gpt-5", None),
    ],
)
def test_efforts_by_name(model: str, expected: tuple[str, ...] | None) -> None:
    assert efforts_of(model) == expected


@pytest.mark.parametrize("model", ["gpt-5", "gpt-5.1", "gpt-5.4", "gpt-5.6-sol", "o3", "gpt-5-pro"])
def test_a_higher_effort_never_asks_for_less(model: str) -> None:
    known = efforts_of(model)
    words = [
        reasoning_fields(model, effort, None, None)["reasoning"]["effort"] for effort in EFFORTS
    ]
    assert known and all(word in known for word in words)
    ranks = [EFFORTS.index(word) for word in words]
    assert ranks == sorted(ranks), words


@pytest.mark.parametrize(
    ("model", "effort", "reasoning", "temperature"),
    [
        (REASONING, None, None, None),
        (REASONING, "high", {"effort": "high"}, None),
        (REASONING, "adaptive", None, None),
        (REASONING, "minimum", {"effort": "low"}, None),
        (PLAIN, "high", None, 0.3),
        (PLAIN, None, None, 0.3),
        ("pro1-mini", None, None, 0.3),
        ("pro1-mini", "none", None, 0.3),
        ("pro1-mini", "high", {"effort": "high"}, None),
    ],
)
def test_a_model_gets_either_reasoning_or_a_temperature(
    model: str, effort: str | None, reasoning: Any, temperature: float | None
) -> None:
    sent = made(model=model, reasoning_effort=effort, temperature=0.3)
    assert sent.get("reasoning") == reasoning
    assert sent.get("temperature") == temperature
    reasons = temperature is None
    assert sent.get("include") == (["reasoning.encrypted_content"] if reasons else None)


def test_a_summary_is_asked_for_only_when_configured() -> None:
    fields = reasoning_fields(REASONING, "low", None, "auto")
    assert fields["reasoning"] == {"effort": "low", "summary": "auto"}
    assert "reasoning" not in reasoning_fields(PLAIN, "low", None, "auto")


def test_reasoning_goes_back_exactly_as_it_came(talk: Talk) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        reply = server.thinking(
            ["I ", "think."], "Reading.", calls=[("read_file", "{}"), ("read_file", "{}")]
        )
        server.reply(reply)
        finish = (await collect(provider.stream(ask(model=REASONING))))[-1]
        assert isinstance(finish, ModelFinish)
        given_uses = tuple(
            ToolUse(call=call, result=ToolResult.ok("content")) for call in finish.tool_calls
        )
        answered = AssistantMessage(
            text="Reading.", tool_uses=given_uses, reasoning=finish.reasoning
        )
        history = (user(), answered)
        server.reply(server.text("done"))
        await collect(provider.stream(ask(model=REASONING, messages=history)))
        items = server.requests[-1].json["input"]
        assert items[1] == {
            "type": "reasoning",
            "id": "rs_00010000",
            "summary": [{"type": "summary_text", "text": "I think."}],
            "encrypted_content": "gAAAA-rs_00010000",
        }
        assert [item["type"] for item in items[2:5]] == ["message", *["function_call"] * 2]
        for other in ("gpt-5.6-sol", PLAIN):
            await collect(provider.stream(ask(model=other, messages=history)))
            assert "encrypted_content" not in json.dumps(server.requests[-1].json["input"])

    talk(check)


def test_reasoning_stands_before_the_call_that_it_led_to(talk: Talk) -> None:
    def item(index: int, **fields: Any) -> bytes:
        kind = "response.output_item.done"
        return sse({"type": kind, "output_index": index, "item": fields}, event=kind)

    async def check(provider: Any, server: ResponsesServer) -> None:
        rs = {"type": "reasoning", "summary": [], "encrypted_content": "x", "status": "completed"}
        call = {"type": "function_call", "name": "read_file", "arguments": "{}"}
        said = {"type": "message", "phase": "commentary", "content": []}
        text = {"type": "output_text", "text": "Reading."}
        end = {"type": "response.completed", "response": {"status": "completed"}}
        server.reply(
            Reply(
                body=[
                    item(0, id="rs_0", **rs),
                    item(1, id="m", **{**said, "content": [text]}),
                    item(2, id="rs_2", **rs),
                    item(3, call_id="c_3", **call),
                    item(4, call_id="c_4", **call),
                    item(5, id="rs_5", **rs),
                    sse(end),
                ]
            )
        )
        finish = (await collect(provider.stream(ask(model=REASONING))))[-1]
        assert isinstance(finish, ModelFinish)
        json.dumps([block.opaque for block in finish.reasoning])
        given_uses = tuple(ToolUse(call=c, result=ToolResult.ok("x")) for c in finish.tool_calls)
        answered = AssistantMessage(
            text="Reading.", tool_uses=given_uses, reasoning=finish.reasoning
        )
        items = conversation((user(), answered), REASONING)
        assert [i.get("id") or i.get("call_id") or i.get("phase") for i in items[1:6]] == [
            "rs_0",
            "commentary",
            "rs_2",
            "c_3",
            "c_4",
        ]
        assert "status" not in items[1] and "rs_5" not in json.dumps(items)
        renamed = AssistantMessage(tool_uses=(used("other"),), reasoning=finish.reasoning)
        assert "rs_" not in json.dumps(conversation((user(), renamed), REASONING))

    talk(check)


# --- configuration ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "/"])
def test_any_spelling_of_the_address_works(talk: Talk, path: str) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        server.reply(server.text("ok"))
        await collect(provider.stream(ask(model=REASONING)))
        assert server.requests[-1].path == "/v1/responses"

    talk(check, path=path)


def test_an_address_without_a_path_gets_the_usual_one(talk: Talk, tmp_path: Path) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        address = f"http://127.0.0.1:{server.port}"
        section = {"apiKey": KEY, "apiType": "responses", "apiBase": address}
        async with open_spec(load_spec("providers.openai"), section, tmp_path) as other:
            server.reply(server.text("ok"))
            await collect(other.stream(ask(model=REASONING)))
        assert server.requests[-1].path == "/v1/responses"

    talk(check)


def test_the_configurations_share_reaches_the_server(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-from-the-environment")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-from-the-environment")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-admin-from-the-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere.invalid/v1")

    async def check(provider: Any, server: ResponsesServer) -> None:
        server.reply(server.text("ok"))
        await collect(provider.stream(ask(model=REASONING)))
        sent = server.requests[-1]
        assert sent.headers["x-team"] == "blue"
        assert sent.headers["authorization"] == f"Bearer {KEY}"
        assert "from-the-environment" not in json.dumps(sent.headers)
        path, _, query = sent.path.partition("?")
        assert path == "/v1/deep/responses" and sorted(query.split("&")) == ["a=1", "b=2"]
        assert sent.json["input"][0]["content"][0]["text"] == "hi", "not replaced"
        assert sent.json["store"] is False and sent.json["stream"] is True
        assert sent.json["text"] == {"verbosity": "low"}
        assert [tool.get("name", tool["type"]) for tool in sent.json["tools"]] == [
            "read_file",
            "web_search",
        ]
        assert sent.json["include"] == [
            "reasoning.encrypted_content",
            "web_search_call.action.sources",
        ]

    extra = {
        "input": [],
        "store": True,
        "stream": False,
        "text": {"verbosity": "low"},
        "tools": [{"type": "web_search"}],
        "include": ["reasoning.encrypted_content", "web_search_call.action.sources"],
    }
    config = {"extraBody": extra, "extraHeaders": {"X-Team": "blue"}, "extraQuery": {"b": "2"}}
    talk(check, config=config, path="/deep/?a=1")


def test_a_header_can_take_the_keys_place(talk: Talk) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        server.reply(server.text("ok"))
        await collect(provider.stream(ask(model=REASONING)))
        assert server.requests[-1].headers["authorization"] == "Bearer of-the-gateway"

    headers = {"Authorization": "Bearer of-the-gateway"}
    talk(check, config={"apiKey": None, "extraHeaders": headers})


def test_a_proxy_is_used(talk: Talk, tmp_path: Path) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        proxy = f"http://127.0.0.1:{server.port}"
        section = {"apiType": "responses", "apiBase": "http://gpt.invalid/v1", "proxy": proxy}
        spec = load_spec("providers.openai")
        async with open_spec(spec, {"apiKey": KEY, **section}, tmp_path) as proxied:
            server.reply(server.text("ok"))
            await collect(proxied.stream(ask(model=REASONING)))
        assert server.requests[-1].path == "http://gpt.invalid/v1/responses"

    talk(check)


@pytest.mark.parametrize("api_type", ["auto", "responses", "chat_completions"])
def test_without_a_key_nothing_is_sent(
    talk: Talk, monkeypatch: pytest.MonkeyPatch, api_type: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-environment")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-from-the-environment")

    async def check(provider: Any, server: ResponsesServer) -> None:
        for refused in (collect(provider.stream(ask(model=REASONING))), provider.list_models()):
            with pytest.raises(errors.AuthError) as caught:
                await refused
            assert "OPENAI_API_KEY" in caught.value.remedy
            assert "providers.openai.apiKey" in caught.value.remedy
        assert server.requests == []

    config = {"apiKey": None, "apiType": api_type}
    talk(check, config=config if api_type != "auto" else {**config, "apiBase": None})


@pytest.mark.parametrize(
    "section",
    [
        {"apiBase": "gpt.example.com"},
        {"apiKey": "sk-two\nlines-CANARY"},
        {"extraHeaders": {"x-note": "CANARY\r\nx-other: 1"}},
        {"proxy": "nonsense-CANARY"},
    ],
)
def test_an_unusable_section_says_what_to_do(tmp_path: Path, section: dict[str, Any]) -> None:
    async def go() -> None:
        whole = {"apiKey": KEY, "apiType": "responses", **section}
        async with open_spec(load_spec("providers.openai"), whole, tmp_path):
            pass

    with pytest.raises(errors.ConfigError) as caught:
        run(go())
    assert caught.value.remedy and "providers.openai" in caught.value.message
    assert "CANARY" not in str(caught.value)


def test_redirects_do_not_carry_the_key_away(talk: Talk) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        async with ResponsesServer() as other:
            server.reply(json_reply({}, status=308, location=f"{other.base_url}/responses"))
            with pytest.raises(errors.BadRequest):
                await collect(provider.stream(ask(model=REASONING)))
            assert other.requests == []

    talk(check)
