"""What comes back: the stream, its end, and everything that can go wrong with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nanobot import errors
from nanobot.context import SystemClock
from nanobot.messages import FinishReason
from nanobot.provider import ModelFinish, ModelLister, ModelReasoning, ModelText
from nanobot_provider_compat.failure import Failures
from nanobot_provider_compat.vendor import Vendor
from nanobot_provider_openai.answer import Answer
from nanobot_provider_openai.faults import Faults
from nanobot_testing.contracts.provider import KEY, answer, ask, collect
from nanobot_testing.servers.responses import USAGE, ResponsesServer
from nanobot_testing.servers.wire import Act, Reply, json_reply, sse

Talk = Callable[..., None]
MODEL = "gpt-5.4-mini"


def request(text: str = "hi", **changes: Any) -> Any:
    return ask(text, **{"model": MODEL, **changes})


def finish_of(events: list[Any]) -> ModelFinish:
    assert isinstance(events[-1], ModelFinish)
    return events[-1]


def joined(reply: Reply) -> bytes:
    return b"".join(piece for piece in reply.body if isinstance(piece, bytes))


def without(reply: Reply, *kinds: str) -> Reply:
    """Return a reply from which some kinds of events are missing."""
    marks = [f"event: {kind}\n".encode() for kind in kinds]
    body = [p for p in reply.body if not (isinstance(p, bytes) and p.startswith(tuple(marks)))]
    return Reply(body=body)


@pytest.mark.parametrize("size", [1, 7])
def test_packets_may_end_anywhere(talk: Talk, size: int) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        whole = joined(server.text("grün ", "🐈 ", "鳥"))
        server.reply(Reply(body=[whole[n : n + size] for n in range(0, len(whole), size)]))
        assert answer(await collect(provider.stream(request()))) == "grün 🐈 鳥"

    talk(check)


def test_other_line_ends_comments_and_unknown_events_are_no_matter(talk: Talk) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        odd = b": keep-alive\n\n" + sse({"type": "response.hologram.delta", "delta": {"x": 1}})
        item = {"type": "hologram", "id": "h_1"}
        kind = "response.output_item.done"
        done = sse({"type": kind, "output_index": 9, "item": item}, event=kind)
        pieces = list(server.text("fine").body)
        body = [odd, pieces[0], done, sse({"no": "type"}), sse([1]), *pieces[1:], sse("[DONE]")]
        server.reply(Reply(body=[p.replace(b"\n", b"\r\n") for p in body if isinstance(p, bytes)]))
        events = await collect(provider.stream(request()))
        assert answer(events) == "fine" and finish_of(events).reason is FinishReason.STOP

    talk(check)


def test_reasons_to_stop(talk: Talk) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        for reply, expected in (
            (server.text("so"), FinishReason.STOP),
            (server.text("so", finish="length"), FinishReason.LENGTH),
            (server.text("so", finish="content_filter"), FinishReason.CONTENT_FILTER),
            (server.refusal("I ", "won't."), FinishReason.REFUSAL),
            (server.tools(("a", "{}")), FinishReason.TOOL_CALLS),
        ):
            server.reply(reply)
            assert finish_of(await collect(provider.stream(request()))).reason is expected

    talk(check)


def test_a_refusal_is_shown(talk: Talk) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        server.reply(server.refusal("I ", "won't."))
        assert answer(await collect(provider.stream(request()))) == "I won't."
        server.reply(without(server.refusal("I ", "won't."), "response.refusal.delta"))
        events = await collect(provider.stream(request()))
        assert answer(events) == "I won't."
        assert finish_of(events).reason is FinishReason.REFUSAL

    talk(check)


def test_usage(talk: Talk) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        server.reply(server.text("so"))
        finish = finish_of(await collect(provider.stream(request())))
        assert finish.usage.billed.input == USAGE["input_tokens"]
        assert finish.usage.billed.output == USAGE["output_tokens"]
        assert finish.usage.billed.cached == 100 and finish.usage.billed.reasoning == 20
        assert finish.usage.context == USAGE["total_tokens"] and not finish.usage.estimated
        assert finish.model == "test-model-2026-01-02"
        body = joined(server.text("some words")).replace(b"_tokens", b"_tokans")
        server.reply(Reply(body=[body]))
        usage = finish_of(await collect(provider.stream(request()))).usage
        assert usage.estimated and usage.billed.input > 10 and usage.billed.output > 0

    talk(check)


@pytest.mark.parametrize(
    "missing",
    [
        ("response.output_text.delta",),
        ("response.output_text.delta", "response.output_item.done"),
        ("response.output_item.added", "response.content_part.added"),
    ],
)
def test_text_is_shown_once_whatever_events_tell_it(talk: Talk, missing: tuple[str, ...]) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        server.reply(without(server.text("all ", "of it"), *missing))
        assert answer(await collect(provider.stream(request()))) == "all of it"

    talk(check)


@pytest.mark.parametrize(
    "missing",
    [
        ("response.function_call_arguments.delta",),
        ("response.function_call_arguments.done",),
        ("response.output_item.done",),
        ("response.output_item.added", "response.function_call_arguments.done"),
    ],
)
def test_calls_are_whole_whatever_events_tell_them(talk: Talk, missing: tuple[str, ...]) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        calls = (("read_file", '{"path": "ä"}'), ("list", ""))
        server.reply(without(server.tools(*calls, split=2, text="Look:"), *missing))
        finish = finish_of(await collect(provider.stream(request())))
        assert [(call.name, call.arguments) for call in finish.tool_calls] == [
            ("read_file", '{"path": "ä"}'),
            ("list", "{}"),
        ]

    talk(check)


def test_arguments_stay_as_the_model_wrote_them(talk: Talk) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        server.reply(server.tools(("read_file", '{"path": "a",}'), ("read_file", "[1]"), split=2))
        finish = finish_of(await collect(provider.stream(request())))
        assert [call.arguments for call in finish.tool_calls] == ['{"path": "a",}', "[1]"]

    talk(check)


def test_arguments_that_come_as_an_object_become_text(talk: Talk) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        delta = "response.function_call_arguments.delta"
        body = joined(without(server.tools(("read_file", "@@")), delta))
        server.reply(Reply(body=[body.replace(b'"@@"', b'{"path": "a"}')]))
        finish = finish_of(await collect(provider.stream(request())))
        assert json.loads(finish.tool_calls[0].arguments) == {"path": "a"}

    talk(check)


def test_a_call_that_was_cut_off_is_left_out(talk: Talk) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        whole = joined(server.tools(("read_file", '{"path": "a"}'), ("read_file", '{"pa')))
        end = b'"status": "completed", "error"'
        assert end in whole
        body = whole.replace(end, b'"status": "incomplete", "error"')
        server.reply(Reply(body=[body.replace(b"response.completed", b"response.incomplete")]))
        finish = finish_of(await collect(provider.stream(request())))
        assert finish.reason is FinishReason.LENGTH
        assert [call.arguments for call in finish.tool_calls] == ['{"path": "a"}']

    talk(check)


def test_ids_that_repeat_or_are_missing_become_unique(talk: Talk) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        body = joined(server.tools(("a", "{}"), ("b", "{}"), ("c", "{}")))
        body = body.replace(b'"call_00010001"', b'"call_00010000"')
        server.reply(Reply(body=[body.replace(b'"call_00010002"', b"null")]))
        calls = finish_of(await collect(provider.stream(request()))).tool_calls
        assert [call.name for call in calls] == ["a", "b", "c"]
        assert len({call.id for call in calls}) == 3 and all(call.id for call in calls)

    talk(check)


def test_parts_of_reasoning_and_messages_are_told_apart(talk: Talk) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        body = []
        kind = "response.reasoning_summary_text.delta"
        for part, words in enumerate(("First ", "thought.", "Second.")):
            data = {"type": kind, "output_index": 0, "summary_index": part // 2, "delta": words}
            body.append(sse(data, event=kind))
        kind = "response.output_text.delta"
        for index, words in ((1, "One."), (2, "Two.")):
            data = {"type": kind, "output_index": index, "content_index": 0, "delta": words}
            body.append(sse(data, event=kind))
        end = {"type": "response.completed", "response": {"status": "completed", "output": []}}
        server.reply(Reply(body=[*body, sse(end, event="response.completed")]))
        events = await collect(provider.stream(request()))
        thought = "".join(event.text for event in events if isinstance(event, ModelReasoning))
        assert thought == "First thought.\n\nSecond."
        assert answer(events) == "One.\n\nTwo."

    talk(check)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("server_error", errors.OverloadError),
        ("rate_limit_exceeded", errors.RateLimitError),
        ("slow_down", errors.RateLimitError),
        ("insufficient_quota", errors.QuotaError),
        ("credit_balance_exhausted", errors.QuotaError),
        ("context_length_exceeded", errors.ContextOverflow),
        ("invalid_prompt", errors.ContentFiltered),
    ],
)
def test_a_failed_response_is_typed(
    talk: Talk, code: str, expected: type[errors.ProviderError]
) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        error = {"type": "error", "code": code, "message": "It went wrong", "param": None}
        nested = {"type": "error", "error": {"code": code, "message": "It went wrong"}}
        begun = list(server.text("begun").body)[:6]
        for reply in (
            server.failed("begun", code=code, message="It went wrong"),
            Reply(body=[*begun, sse(error, event="error")]),
            Reply(body=[*begun, sse(nested, event="error")]),
        ):
            server.reply(reply)
            seen = []
            with pytest.raises(expected, match="It went wrong"):
                async for event in provider.stream(request()):
                    seen.append(event)
            assert answer(seen) == "begun"

    talk(check)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=[]),
        Reply(body=[b"<html><body>hello</body></html>"], headers={"content-type": "text/html"}),
        Reply(body=[b"event: response.created\ndata: {bad\n\n"]),
        Reply(body=[b"event: response.created\ndata: \xff\xfe\n\n"]),
        Reply(body=[sse({"type": "response.completed", "response": "no object"})]),
        json_reply({"choices": []}),
    ],
)
def test_an_answer_of_another_kind_is_malformed(talk: Talk, reply: Reply) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        server.reply(reply)
        with pytest.raises(errors.MalformedAnswer) as caught:
            await collect(provider.stream(request()))
        assert "<" not in str(caught.value) and caught.value.remedy

    talk(check)


def test_an_answer_without_its_end_is_a_broken_transport(talk: Talk) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        server.reply(Reply(body=list(server.text("half").body)[:5]))
        with pytest.raises(errors.TransportError):
            await collect(provider.stream(request()))

    talk(check)


def test_silence_is_a_timeout(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NANOBOT_STREAM_IDLE_TIMEOUT_S", "0.2")

    async def check(provider: Any, server: ResponsesServer) -> None:
        server.reply(server.text("part", Act.HANG))
        with pytest.raises(errors.ProviderTimeout):
            await collect(provider.stream(request()))
        server.reply(Reply(body=[Act.HANG]))
        with pytest.raises(errors.ProviderTimeout):
            await collect(provider.stream(request()))

    talk(check)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "invalid_value", errors.BadRequest),
        (401, "invalid_api_key", errors.AuthError),
        (403, "unsupported_country_region_territory", errors.AuthError),
        (404, "model_not_found", errors.BadRequest),
        (429, "project_spend_limit_exceeded", errors.QuotaError),
        (429, "slow_down", errors.RateLimitError),
        (429, "billing_hard_limit_reached", errors.QuotaError),
        (500, None, errors.OverloadError),
        (503, "server_is_overloaded", errors.OverloadError),
        (307, None, errors.BadRequest),
    ],
)
def test_refusals_are_typed_by_their_fields(
    talk: Talk, status: int, code: str | None, expected: type[Exception]
) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        error = {"message": "500 connection timeout 429", "type": "error", "code": code}
        location = {"location": f"{server.base_url}/elsewhere"} if status == 307 else {}
        server.reply(json_reply({"error": error}, status=status, **location))
        with pytest.raises(errors.ProviderError) as caught:
            await collect(provider.stream(request()))
        assert type(caught.value) is expected
        assert caught.value.status == status and caught.value.provider == "openai"
        assert caught.value.model == MODEL and caught.value.remedy
        assert len(server.requests) == 1, "neither retried nor redirected"

    talk(check)


def test_the_vendors_words_are_short_and_keep_the_key(talk: Talk) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        message = f"Incorrect API key provided: {KEY}. " + "word " * 500
        error = {"message": message, "type": "invalid_request_error", "code": "invalid_api_key"}
        server.reply(json_reply({"error": error}, status=401))
        with pytest.raises(errors.AuthError) as caught:
            await collect(provider.stream(request()))
        assert KEY not in str(caught.value) and "Incorrect API key" in caught.value.message
        assert len(caught.value.message) < 450
        assert "providers.openai.apiKey" in caught.value.remedy
        assert "OPENAI_API_KEY" in caught.value.remedy

    talk(check)


def test_fifty_streams_share_one_provider(talk: Talk) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        server.reply(server.text("one", " two"))
        runs = (collect(provider.stream(request(f"q{n}"))) for n in range(50))
        assert {answer(events) for events in await asyncio.gather(*runs)} == {"one two"}
        assert len(server.requests) == 50

    talk(check)


def test_models_are_listed(talk: Talk) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        assert isinstance(provider, ModelLister)
        server.reply(server.models("gpt-a", "gpt-b"))
        assert [model.id for model in await provider.list_models()] == ["gpt-a", "gpt-b"]
        assert server.requests[-1].path == "/v1/models"
        server.reply(server.failure("auth"))
        with pytest.raises(errors.AuthError):
            await provider.list_models()

    talk(check)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)
kinds = st.sampled_from(
    [
        "response.created",
        "response.output_item.added",
        "response.output_item.done",
        "response.output_text.delta",
        "response.refusal.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning_text.delta",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.completed",
        "response.incomplete",
        "response.failed",
        "error",
    ]
)
parts = st.fixed_dictionaries({"type": values}, optional={"text": values, "refusal": values})
items = st.fixed_dictionaries(
    {"type": st.sampled_from(["message", "reasoning", "function_call"]) | values},
    optional={
        **dict.fromkeys(("id", "call_id", "name", "arguments", "status", "phase"), values),
        "content": st.lists(parts, max_size=2) | values,
        "summary": st.lists(parts, max_size=2) | values,
    },
)
responses = st.fixed_dictionaries(
    {"status": st.sampled_from(["completed", "incomplete", "failed"]) | values},
    optional={
        "output": st.lists(items, max_size=2) | values,
        **dict.fromkeys(("usage", "error", "incomplete_details", "model"), values),
    },
)
events = st.fixed_dictionaries(
    {"type": kinds | values},
    optional={
        "output_index": st.integers(0, 2) | values,
        "item": items | values,
        "response": responses | values,
        **dict.fromkeys(
            ("content_index", "summary_index", "delta", "arguments", "error", "code"), values
        ),
    },
)


@settings(deadline=None, max_examples=50)
@given(st.lists(events, max_size=8))
def test_no_stream_raises_anything_but_provider_errors(stream: list[dict[str, Any]]) -> None:
    failures = Failures(
        provider="openai",
        section="providers.openai",
        vendor=Vendor(),
        address="http://127.0.0.1",
        model=MODEL,
    )
    made = Answer(Faults(failures, SystemClock()), sent=b"{}")
    try:
        for event in stream:
            for shown in made.feed(event):
                assert isinstance(shown, ModelText | ModelReasoning) and shown.text
        finish = made.finish()
    except errors.ProviderError:
        return
    assert len({call.id for call in finish.tool_calls}) == len(finish.tool_calls)
    json.dumps([block.opaque for block in finish.reasoning])
