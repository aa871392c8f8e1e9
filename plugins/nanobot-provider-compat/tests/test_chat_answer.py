"""An answer from the bytes of its stream."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nanobot import errors
from nanobot.messages import BilledTokens, FinishReason
from nanobot.provider import ModelEvent, ModelFinish, ModelReasoning, ModelText
from nanobot_provider_compat.sse import MAX_EVENT
from nanobot_testing.servers.chat import ChatServer
from nanobot_testing.servers.wire import Reply, sse

Read = Callable[..., list[ModelEvent]]
SERVER = ChatServer()
DONE = sse("[DONE]")


def raw(reply: Reply) -> bytes:
    return b"".join(piece for piece in reply.body if isinstance(piece, bytes))


def delta(finish: str | None = None, **fields: object) -> bytes:
    return SERVER.chunk(fields, finish=finish)


def end(reason: str = "stop") -> bytes:
    return delta(finish=reason) + DONE


def text(events: list[ModelEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, ModelText))


def thought(events: list[ModelEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, ModelReasoning))


def last(events: list[ModelEvent]) -> ModelFinish:
    assert isinstance(events[-1], ModelFinish)
    return events[-1]


def call(name: str | None, arguments: object, **fields: object) -> dict[str, object]:
    return {"function": {"name": name, "arguments": arguments}, **fields}


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("stop", FinishReason.STOP),
        ("eos", FinishReason.STOP),
        ("tool_calls", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("model_length", FinishReason.LENGTH),
        ("MAX_TOKENS", FinishReason.LENGTH),
        ("max_output_tokens", FinishReason.LENGTH),
        ("content_filter", FinishReason.CONTENT_FILTER),
        ("content_filter: PROHIBITED_CONTENT", FinishReason.CONTENT_FILTER),
        ("SAFETY", FinishReason.CONTENT_FILTER),
        ("sensitive", FinishReason.CONTENT_FILTER),
        ("refusal", FinishReason.REFUSAL),
    ],
)
def test_reasons(read: Read, reason: str, expected: FinishReason) -> None:
    assert last(read(delta(content="a") + end(reason))).reason is expected


@pytest.mark.parametrize("reason", ["stop", "tool_calls", "function_call", "eos"])
def test_calls_decide_the_reason(read: Read, reason: str) -> None:
    finish = last(read(delta(tool_calls=[call("read_file", "{}", index=0)]) + end(reason)))
    assert finish.reason is FinishReason.TOOL_CALLS
    assert finish.tool_calls[0].name == "read_file"


def test_a_refusal_is_told_apart(read: Read) -> None:
    events = read(delta(refusal="I can ") + delta(refusal="not.") + end())
    assert text(events) == "I can not." and last(events).reason is FinishReason.REFUSAL


def test_a_cut_call_is_no_call(read: Read) -> None:
    cut = delta(tool_calls=[call("read_file", '{"path": "/tm', index=0)]) + end("length")
    finish = last(read(cut))
    assert finish.reason is FinishReason.LENGTH and finish.tool_calls == ()


def test_a_legacy_function_call(read: Read) -> None:
    stream = (
        delta(function_call={"name": "read_file", "arguments": ""})
        + delta(function_call={"arguments": '{"a":1}'})
        + end("function_call")
    )
    (made,) = last(read(stream)).tool_calls
    assert (made.name, made.arguments) == ("read_file", '{"a":1}')


def test_text_form_calls_stay_text(read: Read) -> None:
    markup = '<tool_call>{"name": "exec", "arguments": {"command": "rm -rf /"}}</tool_call>'
    events = read(delta(content=markup) + end())
    assert text(events) == markup and last(events).tool_calls == ()


@pytest.mark.parametrize(
    "field",
    [
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {"reasoning_content": None, "reasoning": "hm"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "hm", "index": 0}]},
        {"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}]},
        {"content": "<think>hm</think>"},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
        {"content": [{"type": "thinking", "thinking": "hm"}]},
    ],
)
def test_reasoning_has_many_names(read: Read, field: dict[str, Any]) -> None:
    events = read(delta(**field) + delta(content="Answer.") + end())
    assert (thought(events), text(events)) == ("hm", "Answer.")
    (block,) = last(events).reasoning
    assert block.text == "hm" and block.dialect == "chat"


def test_structured_reasoning_is_kept_whole(read: Read) -> None:
    def detail(**fields: object) -> bytes:
        return delta(reasoning_details=[{"index": 0, "format": "f1", **fields}])

    stream = (
        detail(type="reasoning.text", text="I ")
        + detail(type="reasoning.text", text="see.")
        + detail(type="reasoning.text", signature="abc")
        + detail(type="reasoning.encrypted", data="xyz")
    )
    (block,) = last(read(stream + delta(content="a") + end())).reasoning
    assert block.opaque == {
        "provider": "acme",
        "reasoning_details": [
            {
                "index": 0,
                "format": "f1",
                "type": "reasoning.text",
                "signature": "abc",
                "text": "I see.",
            },
            {"index": 0, "format": "f1", "type": "reasoning.encrypted", "data": "xyz"},
        ],
    }


def test_signed_thinking_blocks_are_kept_whole(read: Read) -> None:
    """LiteLLM hands over what Anthropic signed, and wants it back before the results of tools."""
    blocks = [
        {"type": "thinking", "thinking": "I ", "signature": ""},
        {"type": "thinking", "thinking": "think.", "signature": None},
        {"type": "thinking", "thinking": "", "signature": "EqQB"},
        {"type": "thinking", "thinking": "", "signature": ""},
    ]
    stream = b"".join(
        delta(content="", reasoning_content=block["thinking"], thinking_blocks=[block])
        for block in blocks
    )
    events = read(stream + delta(content="a") + end("stop"))
    assert ModelReasoning(text="I think.") in events
    (kept,) = last(events).reasoning
    assert kept.opaque["thinking_blocks"] == [
        {"type": "thinking", "thinking": "I think.", "signature": "EqQB"}
    ]


def test_content_in_blocks(read: Read) -> None:
    events = read(delta(content=[{"type": "text", "text": "a"}, "b", 3]) + end())
    assert text(events) == "ab"


def test_reasoning_alone_is_the_answer_only_where_it_may_be(read: Read) -> None:
    stream = delta(reasoning="Answer.") + end()
    assert text(read(stream)) == ""
    assert text(read(stream, reasoning_is_answer=True)) == "Answer."


USAGES = [
    (
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
        BilledTokens(input=10, output=5, cached=4, cache_write=3, reasoning=2),
    ),
    (
        {"prompt_tokens": 10, "completion_tokens": 5, "cached_tokens": 4},
        BilledTokens(input=10, output=5, cached=4),
    ),
    (
        {"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 4},
        BilledTokens(input=10, output=5, cached=4),
    ),
    (
        {
            "input_tokens": 10,
            "output_tokens": 5,
            "input_tokens_details": {"cached_tokens": 4},
            "output_tokens_details": {"reasoning_tokens": 2},
        },
        BilledTokens(input=10, output=5, cached=4, reasoning=2),
    ),
    (
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "cache_read_input_tokens": 4,
            "cache_creation_input_tokens": 3,
            "reasoning_tokens": 2,
        },
        BilledTokens(input=10, output=5, cached=4, cache_write=3, reasoning=2),
    ),
    (
        {"prompt_tokens": 10, "completion_tokens": 5, "num_cached_tokens": 4},
        BilledTokens(input=10, output=5, cached=4),
    ),
    (
        {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 18},
        BilledTokens(input=10, output=8),
    ),
    (
        {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": None},
        BilledTokens(input=10, output=5),
    ),
]


@pytest.mark.parametrize(("usage", "billed"), USAGES)
def test_usage_is_read(read: Read, usage: dict[str, Any], billed: BilledTokens) -> None:
    told = last(read(delta(content="a") + delta(finish="stop") + SERVER.usage_chunk(usage) + DONE))
    assert told.usage.billed == billed and not told.usage.estimated
    assert told.usage.context == billed.input + billed.output and told.usage.calls == 1
    choice = {"index": 0, "delta": {"content": "a"}, "finish_reason": "stop", "usage": usage}
    assert last(read(sse({"choices": [choice]}) + DONE)).usage == told.usage


@pytest.mark.parametrize(
    "usage",
    [None, {}, {"prompt_tokens": None}, {"prompt_tokens": "many"}, {"prompt_tokens": float("inf")}],
)
def test_missing_usage_is_estimated(read: Read, usage: object) -> None:
    finish = last(read(delta(content="a" * 400) + end(), sse({"choices": [], "usage": usage})))
    assert finish.usage.estimated
    assert finish.usage.billed == BilledTokens(input=40, output=101)
    assert finish.usage.context == 141


def test_usage_in_a_field_of_the_vendor_s_own(read: Read) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    chunks = sse({"choices": [{"delta": {"content": "a"}}], "x_groq": {"id": "1"}})
    chunks += sse({"choices": [{"finish_reason": "stop"}], "x_groq": {"usage": usage}})
    assert last(read(chunks + DONE)).usage.billed == BilledTokens(input=10, output=5)


def test_the_model_is_as_the_vendor_names_it(read: Read) -> None:
    assert last(read(delta(content="a") + end())).model == "test-model"
    assert last(read(sse({"choices": [{"delta": {"content": "a"}}]}) + DONE)).model == "acme-1"


def test_a_stream_may_end_without_its_end_mark(read: Read) -> None:
    assert text(read(delta(content="a") + delta(finish="stop"))) == "a"
    assert text(read(delta(content="a") + DONE)) == "a"
    assert text(read(delta(content="a") + delta(finish="stop") + b'data: {"cho')) == "a"


def test_what_is_no_answer_is_skipped(read: Read) -> None:
    noise = sse({"type": "ping"}) + b": hi\n\n" + sse("") + sse({"choices": None}) + b"data:\n\n"
    other = sse({"choices": [{"index": 1, "delta": {"content": "second"}}]})
    assert text(read(noise + other + delta(content="a") + end() + b"data: junk\n\n")) == "a"


def test_an_answer_in_one_piece(read: Read) -> None:
    message = {
        "role": "assistant",
        "content": "Hello.",
        "reasoning_content": "hm",
        "tool_calls": [call("read_file", "{}", id="x"), call("read_file", {"a": 1}, id="x")],
    }
    answer = {
        "model": "big",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": USAGES[0][0],
    }
    whole = json.dumps(answer).encode()
    events = read(b"  \n", whole[:20], whole[20:])
    assert (text(events), thought(events)) == ("Hello.", "hm")
    finish = last(events)
    assert finish.reason is FinishReason.TOOL_CALLS and finish.model == "big"
    assert [made.arguments for made in finish.tool_calls] == ["{}", '{"a": 1}']
    assert len({made.id for made in finish.tool_calls}) == 2
    assert finish.usage.billed == USAGES[0][1]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n ",
        b'{"choices": []}',
        b'{"choices": null}',
        b'{"ok": true}',
        b"[]",
        b'"just text"',
        b'{"choices": [',
        b"<!DOCTYPE html><html></html>",
        b"data: {bad\n\n",
        b"data: 3\n\n",
        b'data: "text"\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
        sse({"choices": []}) + DONE,
        SERVER.usage_chunk(USAGES[0][0]),
        sse({"choices": "none"}),
        sse({"choices": ["text"]}),
        sse({"choices": [{"message": "text"}]}),
        delta(tool_calls="x"),
        delta(tool_calls=[call("", "{}", index=0)]) + end("tool_calls"),
        delta(tool_calls=[call("a", "{}", index=n, id=f"{n}") for n in range(500)]) + end(),
        b"{" + b" " * (MAX_EVENT + 1),
        b"data: " + b" " * (MAX_EVENT + 1),
    ],
)
def test_what_is_not_of_the_dialect_is_malformed(read: Read, body: bytes) -> None:
    with pytest.raises(errors.MalformedAnswer) as caught:
        read(body)
    assert "providers.acme.apiBase" in caught.value.remedy
    assert len(str(caught.value)) < 400 and "<" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        delta(content="a"),
        b": hello\n\n",
        delta(content="a") + b'data: {"choices": [{"del',
        delta(tool_calls=[call("a", "{", index=0)]),
    ],
)
def test_a_stream_without_an_end_is_cut(read: Read, body: bytes) -> None:
    with pytest.raises(errors.TransportError):
        read(body)


@pytest.mark.parametrize(
    ("chunk", "expected"),
    [
        ({"error": {"code": 429, "message": "slow down"}}, errors.RateLimitError),
        ({"error": {"code": 502, "message": "upstream"}}, errors.OverloadError),
        ({"error": {"type": "overloaded_error", "message": "x"}}, errors.OverloadError),
        ({"error": {"type": "insufficient_quota"}}, errors.QuotaError),
        ({"error": {"type": "invalid_request_error", "message": "x"}}, errors.BadRequest),
        ({"error": "too many requests"}, errors.RateLimitError),
        ({"error": "the model crashed"}, errors.OverloadError),
        ({"object": "error", "message": "bad", "type": "BadRequestError"}, errors.BadRequest),
        ({"base_resp": {"status_code": 9, "status_msg": "rate limit"}}, errors.RateLimitError),
        ({"choices": [{"delta": {}, "finish_reason": "error"}]}, errors.OverloadError),
        (
            {"choices": [{"delta": {}, "finish_reason": "insufficient_system_resource"}]},
            errors.OverloadError,
        ),
    ],
)
def test_errors_inside_a_good_answer(read: Read, chunk: dict[str, Any], expected: type) -> None:
    with pytest.raises(expected):
        read(delta(content="a") + sse(chunk))
    with pytest.raises(expected):
        read(json.dumps(chunk).encode())


def test_no_error_in_a_good_status_object(read: Read) -> None:
    good = {"base_resp": {"status_code": 0, "status_msg": "success"}, "choices": [], "error": None}
    assert text(read(sse(good) + delta(content="a") + end())) == "a"


def test_characters_in_halves_are_joined(read: Read) -> None:
    def escaped(**fields: object) -> bytes:
        return sse(json.dumps({"choices": [{"delta": fields}]}))

    pieces = ["a\ud83d", "\ude00b\udc00", "\ud83d"]
    stream = b"".join(escaped(content=piece) for piece in pieces)
    assert text(read(stream, end())) == "a😀b\ufffd\ufffd"
    pieces = ['{"x": "\ud83d', '\ude00"}']
    stream = b"".join(escaped(tool_calls=[call("a", piece, index=0)]) for piece in pieces)
    assert last(read(stream, end(), names=("a",))).tool_calls[0].arguments == '{"x": "😀"}'


STREAMS = [
    raw(SERVER.text("Hel", "lo ", "wörld 🐈", "<think>a</think>", " < b")),
    raw(SERVER.tools(("read_file", '{"path": "ä.txt"}'), ("read_file", "{}"), split=3, text="t")),
    raw(SERVER.thinking(["I ", "thünk."], "Answer.")).replace(b"\n", b"\r\n"),
    json.dumps({"choices": [{"message": {"content": "in one piece ü"}}]}).encode(),
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(STREAMS), st.data())
def test_any_cutting_gives_the_same_answer(read: Read, stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=40)))
    blocks = [stream[a:b] for a, b in pairwise([0, *cuts, len(stream)])]
    assert read(*blocks) == read(stream)


@pytest.mark.parametrize("stream", STREAMS)
def test_byte_by_byte(read: Read, stream: bytes) -> None:
    assert read(*(stream[i : i + 1] for i in range(len(stream)))) == read(stream)


FIELDS = """
    arguments base_resp choices code content delta details error extra_content finish_reason
    function function_call id index message model name object reason reasoning reasoning_content
    reasoning_details refusal retryDelay status status_code text thinking tool_calls total_tokens
    type usage prompt_tokens prompt_tokens_details
"""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "a", "0", "<"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(FIELDS.split()), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    st.dictionaries(st.sampled_from(["content", "tool_calls", "reasoning_details", "x"]), JSON),
    st.dictionaries(st.sampled_from(["choices", "usage", "error", "base_resp", "model"]), JSON),
    JSON,
)
def test_any_json_is_an_answer_or_a_typed_error(
    read: Read, fields: dict[str, Any], other: dict[str, Any], reason: Any
) -> None:
    choice = {"delta": fields, "finish_reason": reason}
    for blocks in ([sse(other), sse({"choices": [choice]})], [json.dumps(other).encode()]):
        try:
            events = read(*blocks, DONE)
        except errors.ProviderError as error:
            assert str(error)
        else:
            finish = last(events)
            assert all(made.name and made.id for made in finish.tool_calls)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(
            [
                b"data: ",
                b"\n",
                b"{",
                b"}",
                b'"choices":',
                b"[",
                b"]",
                b"1",
                b'{"delta":',
                b'"content":',
                b'"a"',
                b"null",
                b",",
                b"\xff",
            ]
        )
    )
)
def test_junk_is_an_error_and_nothing_else(read: Read, pieces: list[bytes]) -> None:
    try:
        events = read(*pieces)
    except errors.ProviderError:
        return
    assert isinstance(events[-1], ModelFinish)
