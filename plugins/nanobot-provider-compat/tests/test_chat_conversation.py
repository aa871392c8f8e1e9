"""What is kept of a conversation between requests, which no request may show."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nanobot.messages import (
    AssistantMessage,
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
from nanobot_provider_compat import conversation
from nanobot_provider_compat.conversation import Conversations, encode
from nanobot_provider_compat.history import History
from nanobot_provider_compat.request import write_body
from nanobot_provider_compat.vendor import Vendor
from nanobot_testing.contracts.provider import ask

VENDORS = (
    Vendor(),
    Vendor(string_content_only=True, picture_models=("vision",), replay_reasoning="drop"),
    Vendor(tool_id_style="nine", signed_calls=True, replay_reasoning="required_empty"),
    Vendor(cache_markers=("claude",), body={"a": {"x": 1}}, models={"claude": {"top_p": None}}),
)
MODELS = ("m", "m-vision", "claude-x", "mistral-x", "kimi-k2.6")
SYSTEM = (Segment(name="s", text="S"),)

WORDS = st.sampled_from(["", "a", "b\ud83d", "ü😀", '"\n'])
PARTS = st.one_of(
    st.builds(Text, text=WORDS),
    st.builds(Image, data=st.binary(max_size=3), media_type=st.just("image/png")),
)
USES = st.builds(
    ToolUse,
    call=st.builds(
        ToolCall,
        id=st.sampled_from(["", "c1", "c2", "abcdefghi", "a|b"]),
        name=WORDS,
        arguments=st.sampled_from(["{}", "", '{"a": 1}']),
        opaque=st.sampled_from([{}, {"extra_content": {"s": 1}}, {"extra_content": {"s": True}}]),
    ),
    result=st.builds(ToolResult, parts=st.lists(PARTS, max_size=2).map(tuple)),
)
REASONING = st.builds(
    ReasoningBlock,
    text=WORDS,
    dialect=st.sampled_from(["chat", "anthropic"]),
    opaque=st.sampled_from([{}, {"provider": "acme", "reasoning_details": [{"text": "hm"}]}]),
)
USERS = st.builds(UserMessage, parts=st.lists(PARTS, max_size=2).map(tuple), context=WORDS)
MESSAGES = st.one_of(
    USERS,
    st.builds(
        AssistantMessage,
        text=WORDS,
        tool_uses=st.lists(USES, max_size=2).map(tuple),
        reasoning=st.lists(REASONING, max_size=1).map(tuple),
    ),
)


def user(text: str) -> UserMessage:
    return UserMessage(parts=(Text(text=text),))


def answer(text: str = "a", *call_ids: str) -> AssistantMessage:
    uses = tuple(
        ToolUse(call=ToolCall(id=one, name="t", arguments="{}"), result=ToolResult.ok("r"))
        for one in call_ids
    )
    return AssistantMessage(text=text, tool_uses=uses)


def write(
    written: Conversations,
    messages: Sequence[Message],
    *,
    vendor: Vendor = VENDORS[0],
    extra: dict[str, Any] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    request = ask("", messages=tuple(messages), system=SYSTEM, **changes)
    body: dict[str, Any] = json.loads(write_body(request, vendor, "acme", extra or {}, written))
    return body


def whole(messages: Sequence[Message], vendor: Vendor = VENDORS[0], model: str = "m") -> list[Any]:
    """Return the messages as they are written without anything kept."""
    head, tail = History(vendor, "acme", model).write(SYSTEM, messages)
    wire: list[Any] = json.loads(encode(head + tail))
    return wire


@settings(max_examples=300)
@given(st.data(), st.sampled_from(VENDORS), st.sampled_from([1, 2, 32]))
def test_requests_read_as_if_nothing_were_kept(
    data: st.DataObject, vendor: Vendor, batch: int
) -> None:
    """Histories grow, are cut at both ends, and have messages replaced and read anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conversation, "_BATCH", batch)
        written = Conversations()
        messages: list[Message] = []
        for _ in range(data.draw(st.integers(1, 6))):
            messages = messages[data.draw(st.sampled_from([0, 0, 0, 1])) :]
            messages = messages[: len(messages) - data.draw(st.sampled_from([0, 0, 1, 2]))]
            if messages and data.draw(st.booleans()):
                index = data.draw(st.integers(0, len(messages) - 1))
                again = st.just(replace(messages[index]))
                messages[index] = data.draw(st.one_of(again, MESSAGES))
            messages += data.draw(st.lists(MESSAGES, max_size=6))
            model = data.draw(st.sampled_from(MODELS))
            sent = write(written, messages, vendor=vendor, model=model)
            assert sent["messages"] == whole(messages, vendor, model)


def test_a_warm_request_is_the_same_bytes_as_a_cold_one() -> None:
    messages: list[Message] = []
    warm = Conversations()
    for turn in range(50):
        messages += [user(f"q{turn}"), answer("", f"c{turn}", "same"), answer(f"a{turn}")]
        request = ask("", messages=(*messages, user("now")), cache_key="k")
        cold = write_body(request, VENDORS[0], "acme", {}, Conversations())
        assert write_body(request, VENDORS[0], "acme", {}, warm) == cold


def test_what_is_known_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    added: list[Message] = []
    add = History.add

    def adding(self: History, message: Message) -> list[dict[str, Any]]:
        added.append(message)
        return add(self, message)

    monkeypatch.setattr(History, "add", adding)
    messages: list[Message] = [user("q") if n % 2 else answer(str(n)) for n in range(1, 501)]
    picture = Image(data=b"x" * 9, media_type="image/png")
    messages[100] = UserMessage(parts=(picture,))
    written = Conversations()
    write(written, messages)
    assert added == messages
    added.clear()
    messages[100] = UserMessage(parts=(replace(picture),))
    write(written, [*messages, user("more")])
    assert len(added) < 70
    assert added[-1] == user("more")


def test_a_known_conversation_still_takes_the_vendor_s_and_the_user_s_patches() -> None:
    vendor = Vendor(
        body={"a": {"x": 1}, "messages": []}, models={"m-2": {"top_p": 0.5}}, tools_body={"t": 1}
    )
    written = Conversations()
    messages = [user("q"), answer(), user("r")]
    write(written, messages, vendor=vendor, model="m")
    sent = write(written, messages, vendor=vendor, model="m-2", extra={"a": {"y": [2]}, "n": None})
    assert sent["a"] == {"x": 1, "y": [2]} and sent["top_p"] == 0.5 and sent["t"] == 1
    assert sent["messages"] == whole(messages) and sent["model"] == "m-2"
    assert "n" not in sent


@pytest.mark.parametrize("batch", [1, 32])
@pytest.mark.parametrize(
    "follows",
    [
        [user("joins")],
        [answer("joins")],
        [answer("joins", "c1", "c1"), user("r"), answer("b"), user("s")],
        [user("joins"), answer("b", "c1"), answer("c")],
    ],
)
@pytest.mark.parametrize(
    "before",
    [[], [user("q")], [answer("a")], [user("q"), answer()], [user("q"), answer("a", "c1")]],
)
def test_what_follows_may_join_what_is_known(
    batch: int,
    follows: list[Message],
    before: list[Message],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conversation, "_BATCH", batch)
    written = Conversations()
    messages = before
    for _ in range(3):
        messages = messages + follows
        assert write(written, messages)["messages"] == whole(messages)
    for length in range(len(messages), -1, -1):
        assert write(written, messages[:length])["messages"] == whole(messages[:length])


def test_marks_move_to_the_last_message_of_the_user() -> None:
    vendor = VENDORS[3]
    written = Conversations()
    messages: list[Message] = []
    for n in range(40):
        messages += [user(f"q{n}"), answer("", f"c{n}"), answer("", f"d{n}")]
        for model in ("claude-x", "m"):
            sent = write(written, messages, vendor=vendor, model=model)["messages"]
            assert sent == whole(messages, vendor, model)
            assert ("cache_control" in str(sent[-5])) is (model == "claude-x")


def test_models_that_take_pictures_do_not_share_with_those_that_do_not() -> None:
    vendor = VENDORS[1]
    written = Conversations()
    picture = UserMessage(parts=(Image(data=b"x", media_type="image/png"),))
    messages = [picture, answer()] * 40
    for model in ("m", "m-vision", "m"):
        sent = write(written, messages, vendor=vendor, model=model)["messages"]
        assert isinstance(sent[1]["content"], str) is (model == "m")
        assert sent == whole(messages, vendor, model)


def test_equal_values_that_differ_in_json_are_not_taken_for_one_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conversation, "_BATCH", 1)
    vendor = VENDORS[2]
    written = Conversations()
    for value in (1, True, 1.0):
        opaque = {"extra_content": {"s": value}}
        call = ToolCall(id="abcdefghi", name="t", arguments="{}", opaque=opaque)
        use = ToolUse(call=call, result=ToolResult.ok("r"))
        messages = [user("q"), AssistantMessage(tool_uses=(use,)), answer(), user("r"), answer("b")]
        sent = write(written, messages, vendor=vendor)["messages"][2]["tool_calls"][0]
        assert repr(sent["extra_content"]["s"]) == repr(value)


def test_what_is_kept_is_bounded() -> None:
    written = Conversations(max_kept=10_000)
    for n in range(100):
        write(written, [user("x" * 900), answer(), user("q")], cache_key=str(n))
        assert written.weight <= 10_000
    assert written.weight > 5_000
    huge = [user("x" * 20_000), answer(), user("q")]
    assert write(written, huge, cache_key="huge")["messages"] == whole(huge)
    assert written.weight <= 10_000


def test_pictures_that_are_kept_count_even_where_they_are_words() -> None:
    written = Conversations(max_kept=1_000_000)
    picture = Image(data=b"x" * 600_000, media_type="image/png", name="cat.png")
    result = ToolResult(parts=(picture,))
    use = ToolUse(call=ToolCall(id="c", name="t", arguments="{}"), result=result)
    for n, first in enumerate((UserMessage(parts=(picture,)), AssistantMessage(tool_uses=(use,)))):
        messages = [user("q"), first, answer(), user("r")]
        write(written, messages, vendor=VENDORS[1], cache_key=str(n))
        assert 600_000 <= written.weight <= 1_000_000


def test_a_request_that_can_not_be_written_leaves_nothing_behind() -> None:
    written = Conversations()
    good = [user("q"), answer("x"), user("r")]
    write(written, good)
    use = ToolUse(
        call=ToolCall(id="c", name="t", arguments="{}", opaque={"extra_content": object()}),
        result=ToolResult.ok(),
    )
    bad = [*good, AssistantMessage(tool_uses=(use,)), user("s"), answer(), user("t")]
    signed = replace(VENDORS[0], signed_calls=True)
    with pytest.raises(TypeError):
        write(written, bad, vendor=signed)
    assert written.weight == 0
    assert write(written, good)["messages"] == whole(good)
