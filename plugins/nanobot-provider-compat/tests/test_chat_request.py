"""The body of a request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from nanobot.messages import (
    AssistantMessage,
    Image,
    Text,
    ToolCall,
    ToolResult,
    ToolUse,
    UserMessage,
)
from nanobot.provider import Segment
from nanobot_provider_compat.conversation import Conversations
from nanobot_provider_compat.request import estimate_tokens, write_body
from nanobot_provider_compat.vendor import Vendor
from nanobot_testing.contracts.provider import ask


def content(
    text: str = "hi",
    *,
    vendor: Vendor | None = None,
    extra: dict[str, Any] | None = None,
    **changes: Any,
) -> bytes:
    request = ask(text, **changes)
    return write_body(request, vendor or Vendor(), "acme", extra or {}, Conversations())


def body(
    text: str = "hi",
    *,
    vendor: Vendor | None = None,
    extra: dict[str, Any] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(content(text, vendor=vendor, extra=extra, **changes))
    return sent


def test_the_plain_request() -> None:
    sent = body(temperature=0.1)
    assert sent == {
        "model": "test-model",
        "messages": [
            {"role": "system", "content": "You are a test."},
            {"role": "user", "content": "hi"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 1000,
        "temperature": 0.1,
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "read_file",
                    "description": "Read a text file.",
                    "parameters": {
                        "type": "object",
                        "properties": {"path": {"type": "string"}},
                        "required": ["path"],
                    },
                },
            }
        ],
    }


def test_the_same_conversation_reads_the_same() -> None:
    """Prompt caches hit on equal beginnings, so a longer history must not change the start."""
    use = ToolUse(
        call=ToolCall(id="odd id!", name="read_file", arguments="{}"), result=ToolResult.ok("x")
    )
    start = (UserMessage(parts=(Text(text="one"),)), AssistantMessage(tool_uses=(use, use)))
    more = (*start, AssistantMessage(text="two"), UserMessage(parts=(Text(text="three"),)))
    short = json.dumps(body(messages=start)["messages"])
    assert json.dumps(body(messages=more)["messages"]).startswith(short[:-1])


def test_system_segments_are_one_message_in_order() -> None:
    system = (Segment(name="b", text="B"), Segment(name="x", text=""), Segment(name="a", text="A"))
    assert body(system=system)["messages"][0] == {"role": "system", "content": "B\n\nA"}
    assert body(system=())["messages"][0]["role"] == "user"


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ("m", "max_tokens"),
        ("openai/gpt-5.1", "max_completion_tokens"),
        ("o3-mini", "max_completion_tokens"),
        ("kimi-k3", "max_completion_tokens"),
        ("pro1-mini", "max_tokens"),
        ("yolo3", "max_tokens"),
    ],
)
def test_the_limit_has_the_model_s_name(model: str, field: str) -> None:
    sent = body(model=model, max_tokens=0)
    assert sent[field] == 1
    assert len({"max_tokens", "max_completion_tokens"} & set(sent)) == 1


def test_the_limit_has_the_vendor_s_name() -> None:
    assert body(vendor=Vendor(token_field="max_completion_tokens"))["max_completion_tokens"] == 1000


@pytest.mark.parametrize(
    ("model", "effort", "sent"),
    [
        ("m", None, True),
        ("m", "none", True),
        ("m", "low", False),
        ("gpt-5", None, False),
        ("o1", None, False),
        ("kimi-k3", None, False),
        ("pro1-mini", None, True),
    ],
)
def test_temperature_is_left_out_where_it_is_refused(
    model: str, effort: str | None, sent: bool
) -> None:
    assert ("temperature" in body(model=model, temperature=0.5, reasoning_effort=effort)) is sent


@pytest.mark.parametrize(
    ("vendor", "model", "effort", "fields"),
    [
        (Vendor(), "m", None, {}),
        (Vendor(), "m", "none", {}),
        (Vendor(), "m", "high", {"reasoning_effort": "high"}),
        (Vendor(), "m", "adaptive", {}),
        (Vendor(thinking="thinking_type"), "m", None, {}),
        (
            Vendor(thinking="thinking_type"),
            "m",
            "low",
            {"thinking": {"type": "enabled"}, "reasoning_effort": "low"},
        ),
        (Vendor(thinking="thinking_type"), "m", "none", {"thinking": {"type": "disabled"}}),
        (Vendor(thinking="thinking_type"), "m", "adaptive", {"thinking": {"type": "enabled"}}),
        (
            Vendor(thinking="enable_thinking", effort_map={"minimal": "minimum"}),
            "m",
            "minimal",
            {"enable_thinking": False, "reasoning_effort": "minimum"},
        ),
        (
            Vendor(thinking="reasoning_split"),
            "m",
            "high",
            {"reasoning_split": True, "reasoning_effort": "high"},
        ),
        (Vendor(thinking="openrouter"), "m", "high", {"reasoning": {"effort": "high"}}),
        (Vendor(thinking="openrouter"), "m", "none", {"reasoning": {"enabled": False}}),
        (
            Vendor(thinking="openrouter"),
            "qwen/qwen3.6-plus",
            "high",
            {"reasoning": {"effort": "high"}, "enable_thinking": True},
        ),
        (Vendor(effort_map={"low": "", "none": "off"}), "m", "low", {}),
        (Vendor(effort_map={"low": "", "none": "off"}), "m", "none", {"reasoning_effort": "off"}),
        (
            Vendor(thinking="thinking_adaptive", effort_map={"high": ""}),
            "m",
            "high",
            {"thinking": {"type": "adaptive"}},
        ),
        (Vendor(thinking="thinking_adaptive"), "m", "none", {"thinking": {"type": "disabled"}}),
        (
            Vendor(thinking="chat_template", effort_map={"high": ""}),
            "m",
            "high",
            {"chat_template_kwargs": {"enable_thinking": True}},
        ),
        (
            Vendor(thinking="chat_template"),
            "m",
            "minimal",
            {"chat_template_kwargs": {"enable_thinking": False}, "reasoning_effort": "minimal"},
        ),
        (
            Vendor(effort_map={"high": "x"}, model_efforts={"m-2": {"high": "y"}}),
            "m-2",
            "high",
            {"reasoning_effort": "y"},
        ),
        (
            Vendor(effort_map={"high": "x"}, model_efforts={"m-2": {"low": "y"}}),
            "m-2",
            "high",
            {"reasoning_effort": "x"},
        ),
        (Vendor(thinking="thinking_type"), "glm-5.3", "none", {}),
        (Vendor(), "kimi-k2.5", "high", {"thinking": {"type": "enabled"}}),
        (Vendor(), "kimi-k2.7-code", "none", {}),
        (Vendor(), "kimi-k3", "max", {"reasoning_effort": "max"}),
        (Vendor(), "kimi-k3", "low", {}),
        (Vendor(), "mimo-v2.5-pro", "none", {"thinking": {"type": "disabled"}}),
    ],
)
def test_thinking(vendor: Vendor, model: str, effort: str | None, fields: dict[str, Any]) -> None:
    names = ("thinking", "enable_thinking", "reasoning_split", "reasoning", "reasoning_effort")
    names = (*names, "chat_template_kwargs")
    sent = body(vendor=vendor, model=model, reasoning_effort=effort)
    assert {name: sent[name] for name in names if name in sent} == fields


def test_tool_choice_none_forbids() -> None:
    assert body(tool_choice="none")["tool_choice"] == "none"
    assert "tool_choice" not in body()
    assert "tool_choice" not in body(tools=(), tool_choice="none")
    assert "tools" not in body(tools=())


def test_vendor_data_is_merged() -> None:
    vendor = Vendor(
        body={"a": {"x": 1}, "top_p": 0.5},
        tools_body={"tool_stream": True},
        models={"m-2": {"temperature": 1.0}, "m-3": {"temperature": None}},
        cache_key_field="prompt_cache_key",
        stream_usage=False,
    )
    sent = body(vendor=vendor, model="m-2", cache_key="k", extra={"a": {"y": 2}, "top_p": None})
    assert sent["a"] == {"x": 1, "y": 2}
    assert "top_p" not in sent and "stream_options" not in sent
    assert sent["tool_stream"] is True
    assert sent["temperature"] == 1.0
    assert sent["prompt_cache_key"] == "k"
    assert "temperature" not in body(vendor=vendor, model="m-3", temperature=0.5)
    assert "tool_stream" not in body(vendor=vendor, tools=())


def test_extra_body_is_merged_but_can_not_take_over() -> None:
    extra = {
        "model": "other",
        "messages": [],
        "stream": False,
        "tools": [{"type": "web_search"}],
        "stream_options": {"chunk": 1},
        "max_tokens": 5,
    }
    sent = body(extra=extra)
    assert sent["model"] == "test-model" and sent["stream"] is True
    assert sent["messages"][-1]["content"] == "hi"
    assert [tool["type"] for tool in sent["tools"]] == ["function", "web_search"]
    assert sent["stream_options"] == {"include_usage": True, "chunk": 1}
    assert sent["max_tokens"] == 5
    assert extra["stream_options"] == {"chunk": 1}


def test_configuration_is_not_changed_by_a_request() -> None:
    extra = {"a": {"b": {"c": 1}}}
    vendor = Vendor(body={"a": {"b": {"d": 2}}})
    assert body(vendor=vendor, extra=extra)["a"] == {"b": {"c": 1, "d": 2}}
    assert extra == {"a": {"b": {"c": 1}}} and vendor.body == {"a": {"b": {"d": 2}}}


def test_lone_surrogates_are_scrubbed_and_pairs_joined() -> None:
    sent = body("a\ud83d b\ud83d\ude00")
    assert sent["messages"][-1]["content"] == "a\ufffd b😀"


def test_pictures_do_not_blow_up_the_estimate() -> None:
    small = estimate_tokens(content("hi"))
    message = UserMessage(
        parts=(Text(text="hi"), Image(data=b"x" * 300_000, media_type="image/png"))
    )
    assert small < estimate_tokens(content(messages=(message,))) < small + 2000
