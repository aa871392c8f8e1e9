"""A conversation in the chat dialect."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
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
from nanobot.provider import Segment
from nanobot_provider_compat.history import History
from nanobot_provider_compat.vendor import Vendor

PICTURE = Image(data=b"\x89PNG", media_type="image/png", name="cat.png")
URL = "data:image/png;base64,iVBORw=="


def write(*messages: Message, vendor: Vendor | None = None, model: str = "m") -> list[Any]:
    head, tail = History(vendor or Vendor(), "acme", model).write((), messages)
    return head + tail


def user(text: str = "q", context: str = "") -> UserMessage:
    return UserMessage(parts=(Text(text=text),) if text else (), context=context)


def use(
    call_id: str = "c1", arguments: str = "{}", result: ToolResult | None = None, **call: Any
) -> ToolUse:
    made = ToolCall(id=call_id, name=call.pop("name", "read_file"), arguments=arguments, **call)
    return ToolUse(call=made, result=result or ToolResult.ok("out"))


def test_a_whole_turn() -> None:
    wire = write(
        user("read a"),
        AssistantMessage(text="Reading.", tool_uses=(use("c1", '{"path": "a"}'), use("c2"))),
        AssistantMessage(text="Done."),
        user("thanks"),
    )
    assert wire == [
        {"role": "user", "content": "read a"},
        {
            "role": "assistant",
            "content": "Reading.",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "read_file", "arguments": '{"path": "a"}'},
                },
                {
                    "id": "c2",
                    "type": "function",
                    "function": {"name": "read_file", "arguments": "{}"},
                },
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "out"},
        {"role": "tool", "tool_call_id": "c2", "content": "out"},
        {"role": "assistant", "content": "Done."},
        {"role": "user", "content": "thanks"},
    ]


def test_context_comes_last() -> None:
    assert write(user("q", "It is noon."))[-1]["content"] == "q\n\nIt is noon."
    (message,) = write(UserMessage(parts=(Text(text="see"), PICTURE), context="It is noon."))
    assert message["content"] == [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": URL}},
        {"type": "text", "text": "It is noon."},
    ]


def test_files_are_mentioned() -> None:
    parts = (Text(text="see"), File(path="docs/a.pdf"))
    assert write(UserMessage(parts=parts))[-1]["content"] == "see\n\n[file: docs/a.pdf]"


def test_pictures_become_words_where_content_is_a_string() -> None:
    vendor = Vendor(string_content_only=True, picture_models=("vision",))
    message = UserMessage(parts=(Text(text="see"), PICTURE))
    assert write(message, vendor=vendor)[-1]["content"] == "see\n\n[image: cat.png]"
    assert write(message, vendor=vendor, model="m-vision")[-1]["content"][1]["type"] == "image_url"


@pytest.mark.parametrize("kind", ["image/svg+xml", "image/tiff", "audio/wav", "application/pdf"])
def test_what_no_vendor_reads_becomes_words(kind: str) -> None:
    odd = Image(data=b"<svg/>", media_type=kind, name="odd")
    assert write(UserMessage(parts=(Text(text="see"), odd)))[-1]["content"] == "see\n\n[image: odd]"
    both = write(UserMessage(parts=(odd, PICTURE)))[-1]["content"]
    assert [block["type"] for block in both] == ["text", "image_url"]
    used = AssistantMessage(tool_uses=(use(result=ToolResult.ok("x", odd)),))
    assert write(user(), used)[-1]["role"] == "tool"


def test_pictures_of_tools_follow_the_results() -> None:
    result = ToolResult.ok("a cat", PICTURE)
    wire = write(user(), AssistantMessage(tool_uses=(use("c1", result=result), use("c2"))))
    assert [message["role"] for message in wire] == ["user", "assistant", "tool", "tool", "user"]
    assert wire[2]["content"] == "a cat\n[image: cat.png]"
    assert wire[4]["content"][1]["image_url"]["url"] == URL
    strings = write(
        user(),
        AssistantMessage(tool_uses=(use("c1", result=result),)),
        vendor=Vendor(string_content_only=True),
    )
    assert strings[-1]["role"] == "tool"


def test_an_error_result_goes_back_as_text() -> None:
    result = ToolResult.error("not_found", "no such file")
    wire = write(user(), AssistantMessage(tool_uses=(use(result=result),)))
    assert wire[-1]["content"] == "no such file"


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ('{"a": 1}', '{"a": 1}'),
        ("", "{}"),
        ('{"a": ', "{}"),
        ('{"a": NaN}', "{}"),
        ('{"a": -Infinity}', "{}"),
        ("[1]", "{}"),
        ("3", "{}"),
        ('"{}"', "{}"),
        ("[" * 100_000, "{}"),
    ],
)
def test_arguments_go_back_as_an_object(arguments: str, sent: str) -> None:
    wire = write(user(), AssistantMessage(tool_uses=(use(arguments=arguments),)))
    assert wire[1]["tool_calls"][0]["function"]["arguments"] == sent


def test_names_that_a_vendor_would_refuse_are_mended() -> None:
    wire = write(user(), AssistantMessage(tool_uses=(use("1", name="a b/ü"), use("2", name=""))))
    names = [call["function"]["name"] for call in wire[1]["tool_calls"]]
    assert names == ["a_b__", "unknown"]


@pytest.mark.parametrize("style", ["any", "nine"])
def test_ids_are_unique_fit_the_style_and_pair(style: Any) -> None:
    odd = ["c1", "c1", "a|b", "a|b", "", "x" * 65, "abcdefghi", "ü\ud800"]
    uses = tuple(use(one, result=ToolResult.ok(str(n))) for n, one in enumerate(odd))
    again = AssistantMessage(tool_uses=(use("c1"), use("abcdefghi")))
    wire = write(
        user(), AssistantMessage(tool_uses=uses), again, vendor=Vendor(tool_id_style=style)
    )
    pattern = "[A-Za-z0-9]{9}" if style == "nine" else "[A-Za-z0-9_-]{1,64}"
    ids = [call["id"] for message in wire for call in message.get("tool_calls", ())]
    assert len(set(ids)) == len(ids) == 10
    assert all(re.fullmatch(pattern, one) for one in ids)
    assert "abcdefghi" in ids and ("c1" in ids) is (style == "any")
    results = {m["tool_call_id"]: m["content"] for m in wire if m["role"] == "tool"}
    assert [results[one] for one in ids[:8]] == [str(n) for n in range(8)]


def test_neighbours_of_one_role_are_merged() -> None:
    wire = write(
        user("one"),
        UserMessage(parts=(PICTURE,)),
        AssistantMessage(text="a"),
        AssistantMessage(text="b", tool_uses=(use(),)),
        AssistantMessage(text="c"),
        AssistantMessage(),
        AssistantMessage(text="d"),
        user("two"),
        user("three"),
    )
    assert [m["role"] for m in wire] == ["user", "assistant", "tool", "assistant", "user"]
    assert [block["type"] for block in wire[0]["content"]] == ["text", "image_url"]
    assert wire[1]["content"] == "a\n\nb" and wire[1]["tool_calls"]
    assert wire[3]["content"] == "c\n\nd"
    assert wire[4]["content"] == "two\n\nthree"


def test_a_bare_assistant_is_neither_first_nor_last() -> None:
    wire = write(AssistantMessage(text="a"))
    assert [message["role"] for message in wire] == ["user", "assistant", "user"]
    assert all(message["content"] for message in wire)
    assert [message["role"] for message in write()] == ["user"]


def test_nothing_is_empty() -> None:
    empty = AssistantMessage(tool_uses=(use(result=ToolResult.ok()),))
    wire = write(user(""), empty, user(""))
    assert [message["content"] for message in wire] == ["(empty)", None, "(empty)", "(empty)"]
    strings = write(user(""), empty, vendor=Vendor(string_content_only=True))
    assert strings[1]["content"] == ""


def thinking(**fields: Any) -> AssistantMessage:
    return AssistantMessage(text="a", reasoning=(ReasoningBlock(**fields),))


DETAILS = {"provider": "acme", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}


@pytest.mark.parametrize(
    ("policy", "message", "field"),
    [
        ("keep", thinking(text="hm", dialect="chat"), {"reasoning_content": "hm"}),
        ("keep", thinking(text="hm", dialect="anthropic"), {}),
        ("keep", AssistantMessage(text="a"), {}),
        ("drop", thinking(text="hm", dialect="chat"), {}),
        ("required_empty", thinking(text="hm", dialect="chat"), {"reasoning_content": "hm"}),
        ("required_empty", thinking(text="hm", dialect="anthropic"), {"reasoning_content": ""}),
        ("required_empty", AssistantMessage(text="a"), {"reasoning_content": ""}),
        (
            "keep",
            thinking(text="hm", dialect="chat", opaque=DETAILS),
            {"reasoning_details": DETAILS["reasoning_details"]},
        ),
        (
            "keep",
            thinking(
                text="hm", dialect="chat", opaque={"provider": "acme", "thinking_blocks": [1]}
            ),
            {"thinking_blocks": [1]},
        ),
        (
            "keep",
            thinking(text="hm", dialect="chat", opaque={**DETAILS, "provider": "other"}),
            {"reasoning_content": "hm"},
        ),
    ],
)
def test_reasoning_goes_back_as_the_vendor_wants(
    policy: Any, message: AssistantMessage, field: dict[str, Any]
) -> None:
    wire = write(user(), message, user(), vendor=Vendor(replay_reasoning=policy))
    assert {key: value for key, value in wire[1].items() if key not in ("role", "content")} == field


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ("Pro/moonshotai/Kimi-K2.5", {"reasoning_content": ""}),
        ("kimi-k3", {"reasoning_content": ""}),
        ("deepseek/deepseek-v4-flash", {"reasoning_content": ""}),
        ("mimo-v2.5-pro", {"reasoning_content": ""}),
        ("moonshot-v1-8k", {}),
        ("deepseek-v3.2", {}),
    ],
)
def test_models_that_miss_reasoning_get_it_from_any_vendor(model: str, field: object) -> None:
    """They refuse a history in which the reasoning of one answer is missing."""
    wire = write(user(), AssistantMessage(text="a"), user(), model=model)
    assert {key: value for key, value in wire[1].items() if key not in ("role", "content")} == field
    dropped = write(
        user(), AssistantMessage(text="a"), vendor=Vendor(replay_reasoning="drop"), model=model
    )
    assert "reasoning_content" not in dropped[1]
    thought = thinking(text="hm", dialect="chat")
    needed = write(user(), thought, vendor=Vendor(replay_reasoning="needed"), model=model)
    assert ("reasoning_content" in needed[1]) is bool(field)


@pytest.mark.parametrize(
    ("model", "bridged"),
    [("mistralai/mistral-small", True), ("devstral-latest", True), ("mistralite", False)],
)
def test_an_answer_stands_between_tools_and_the_user_where_one_must(
    model: str, bridged: bool
) -> None:
    """Mistral's models refuse a user message behind the results of tools."""
    result = ToolResult.ok("a cat", PICTURE)
    wire = write(user(), AssistantMessage(tool_uses=(use(result=result),)), user(), model=model)
    bridge = ["assistant"] if bridged else []
    roles = [message["role"] for message in wire]
    assert roles == ["user", "assistant", "tool", *bridge, "user"]


def test_signatures_go_back() -> None:
    signed = {"google": {"thought_signature": "abc"}}
    uses = (use("1", opaque={"extra_content": signed}), use("2"))
    vendor = Vendor(signed_calls=True)
    calls = write(user(), AssistantMessage(tool_uses=uses), vendor=vendor)[1]["tool_calls"]
    assert calls[0]["extra_content"] == signed and "extra_content" not in calls[1]
    calls = write(user(), AssistantMessage(tool_uses=(use(),)), vendor=vendor)[1]["tool_calls"]
    assert "thought_signature" in calls[0]["extra_content"]["google"]
    calls = write(user(), AssistantMessage(tool_uses=uses))[1]["tool_calls"]
    assert not any("extra_content" in call for call in calls)


def test_cache_marks_are_set_for_models_that_want_them() -> None:
    vendor = Vendor(cache_markers=("claude",))
    system = (Segment(name="s", text="S"),)
    history = (user("one"), AssistantMessage(text="a"), user("two"))
    head, tail = History(vendor, "acme", "anthropic/claude-x").write(system, history)
    wire = head + tail
    mark = {"type": "ephemeral"}
    assert wire[0]["content"] == [{"type": "text", "text": "S", "cache_control": mark}]
    assert wire[1]["content"] == "one"
    assert wire[3]["content"] == [{"type": "text", "text": "two", "cache_control": mark}]
    head, _ = History(vendor, "acme", "gpt-x").write(system, history)
    assert head[0]["content"] == "S"


TEXTS = st.text(max_size=3)
USES = st.builds(use, TEXTS, TEXTS, st.builds(ToolResult.ok, TEXTS), name=TEXTS)
MESSAGES = st.one_of(
    st.builds(user, TEXTS, TEXTS),
    st.builds(AssistantMessage, text=TEXTS, tool_uses=st.lists(USES, max_size=3).map(tuple)),
)


@given(st.lists(MESSAGES, max_size=8), st.sampled_from(["any", "nine"]), st.booleans())
def test_any_history_keeps_the_rules(messages: list[Message], style: Any, strings: bool) -> None:
    wire = write(*messages, vendor=Vendor(tool_id_style=style, string_content_only=strings))
    assert wire[0]["role"] == "user"
    assert wire[-1]["role"] in ("user", "tool")
    awaited: list[str] = []
    for before, message in zip([{"role": ""}, *wire], wire, strict=False):
        if message["role"] == "tool":
            assert message["tool_call_id"] == awaited.pop(0)
        else:
            assert not awaited
            assert message["role"] != before["role"]
        assert message["content"] or "tool_calls" in message
        awaited += [call["id"] for call in message.get("tool_calls", ())]
    assert not awaited
