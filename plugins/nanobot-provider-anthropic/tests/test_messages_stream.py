"""What comes back: the stream, its end, and everything that can go wrong with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nanobot import errors
from nanobot.messages import FinishReason
from nanobot.provider import ModelFinish, ModelLister, ModelReasoning, ModelText
from nanobot_provider_anthropic.answer import Answer
from nanobot_provider_anthropic.faults import Faults, retry_after
from nanobot_provider_anthropic.vendor import Vendor
from nanobot_testing.contracts.provider import KEY, answer, ask, collect
from nanobot_testing.servers.messages import OUTPUT_TOKENS, USAGE, MessagesServer
from nanobot_testing.servers.wire import Act, Reply, json_reply, sse

Talk = Callable[..., None]
MODEL = "claude-sonnet-4-6"
FAULTS = Faults(name="anthropic", section="providers.anthropic", vendor=Vendor())


def request(text: str = "hi", **changes: Any) -> Any:
    return ask(text, **{"model": MODEL, **changes})


def finish_of(events: list[Any]) -> ModelFinish:
    assert isinstance(events[-1], ModelFinish)
    return events[-1]


def joined(reply: Reply) -> bytes:
    return b"".join(piece for piece in reply.body if isinstance(piece, bytes))


@pytest.mark.parametrize("size", [1, 7])
def test_packets_may_end_anywhere(talk: Talk, size: int) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        whole = joined(server.text("grün ", "🐈 ", "鳥"))
        server.reply(Reply(body=[whole[n : n + size] for n in range(0, len(whole), size)]))
        assert answer(await collect(provider.stream(request()))) == "grün 🐈 鳥"

    talk(check)


def test_other_line_ends_comments_and_unknown_events_are_no_matter(talk: Talk) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        odd = b": keep-alive\n\n" + sse({"type": "usage_hint", "x": [1]}, event="usage_hint")
        block = {"type": "hologram", "frames": []}
        start = sse(
            {"type": "content_block_start", "index": 9, "content_block": block},
            event="content_block_start",
        )
        delta = sse(
            {"type": "content_block_delta", "index": 9, "delta": {"type": "frame_delta"}},
            event="content_block_delta",
        )
        pieces = list(server.text("fine").body)
        body = [odd, pieces[0], start, delta, *pieces[1:]]
        server.reply(Reply(body=[p.replace(b"\n", b"\r\n") for p in body if isinstance(p, bytes)]))
        events = await collect(provider.stream(request()))
        assert answer(events) == "fine" and finish_of(events).reason is FinishReason.STOP

    talk(check)


@pytest.mark.parametrize(
    ("stop_reason", "expected"),
    [
        ("end_turn", FinishReason.STOP),
        ("stop_sequence", FinishReason.STOP),
        ("max_tokens", FinishReason.LENGTH),
        ("model_context_window_exceeded", FinishReason.LENGTH),
        ("pause_turn", FinishReason.LENGTH),
        ("refusal", FinishReason.REFUSAL),
        ("a_reason_of_tomorrow", FinishReason.STOP),
    ],
)
def test_stop_reasons(talk: Talk, stop_reason: str, expected: FinishReason) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        server.reply(server.text("so", finish=stop_reason))
        assert finish_of(await collect(provider.stream(request()))).reason is expected

    talk(check)


def test_usage_counts_what_the_cache_saved(talk: Talk) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        server.reply(server.text("so"))
        usage = finish_of(await collect(provider.stream(request()))).usage
        whole = sum(USAGE.values()) - USAGE["output_tokens"]
        assert usage.billed.input == whole and usage.billed.output == OUTPUT_TOKENS
        assert usage.billed.cached == USAGE["cache_read_input_tokens"]
        assert usage.billed.cache_write == USAGE["cache_creation_input_tokens"]
        assert usage.context == whole + OUTPUT_TOKENS
        assert not usage.estimated

    talk(check)


def test_missing_usage_is_estimated_and_said_so(talk: Talk) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        body = joined(server.text("some words")).replace(b"_tokens", b"_tokans")
        server.reply(Reply(body=[body]))
        usage = finish_of(await collect(provider.stream(request()))).usage
        assert usage.estimated and usage.billed.input > 10 and usage.billed.output > 0

    talk(check)


def test_a_call_without_arguments_has_an_empty_object(talk: Talk) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        server.reply(server.tools(("now", ""), text="Let me look."))
        finish = finish_of(await collect(provider.stream(request())))
        assert [(call.name, call.arguments) for call in finish.tool_calls] == [("now", "{}")]

    talk(check)


def test_arguments_stay_as_the_model_wrote_them(talk: Talk) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        server.reply(server.tools(("read_file", '{"path": "a",}'), ("read_file", "[1]"), split=2))
        finish = finish_of(await collect(provider.stream(request())))
        assert [call.arguments for call in finish.tool_calls] == ['{"path": "a",}', "[1]"]

    talk(check)


def test_a_call_that_was_cut_off_is_left_out(talk: Talk) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        reply = server.tools(("read_file", '{"path": "a"}'), ("read_file", '{"path": "b'))
        body = joined(reply).replace(b'"tool_use", "stop_seq', b'"max_tokens", "stop_seq')
        server.reply(Reply(body=[body]))
        finish = finish_of(await collect(provider.stream(request())))
        assert finish.reason is FinishReason.LENGTH
        assert [call.arguments for call in finish.tool_calls] == ['{"path": "a"}']

    talk(check)


def test_ids_that_repeat_or_are_missing_become_unique(talk: Talk) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        reply = server.tools(("a", "{}"), ("b", "{}"), ("c", "{}"))
        body = joined(reply).replace(b"toolu_00010001", b"toolu_00010000")
        server.reply(Reply(body=[body.replace(b"toolu_00010002", b"")]))
        calls = finish_of(await collect(provider.stream(request()))).tool_calls
        assert [call.name for call in calls] == ["a", "b", "c"]
        assert len({call.id for call in calls}) == 3 and all(call.id for call in calls)

    talk(check)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("overloaded_error", errors.OverloadError),
        ("api_error", errors.OverloadError),
        ("rate_limit_error", errors.RateLimitError),
        ("billing_error", errors.QuotaError),
        ("timeout_error", errors.ProviderTimeout),
        ("invalid_request_error", errors.BadRequest),
    ],
)
def test_an_error_event_is_typed(
    talk: Talk, kind: str, expected: type[errors.ProviderError]
) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        server.reply(server.failed("begun", kind=kind, message="It went wrong"))
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
        Reply(body=[b"event: message_start\ndata: {bad\n\n"]),
        Reply(body=[b"event: message_start\ndata: \xff\xfe\n\n"]),
        Reply(body=[sse({"type": "message_start", "message": "no object"}, event="message_start")]),
        json_reply({"type": "message", "content": []}),
    ],
)
def test_an_answer_of_another_kind_is_malformed(talk: Talk, reply: Reply) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        server.reply(reply)
        with pytest.raises(errors.MalformedAnswer) as caught:
            await collect(provider.stream(request()))
        assert "<" not in str(caught.value) and caught.value.remedy

    talk(check)


def test_an_answer_without_its_end_is_a_broken_transport(talk: Talk) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        server.reply(Reply(body=list(server.text("half").body)[:4]))
        with pytest.raises(errors.TransportError):
            await collect(provider.stream(request()))

    talk(check)


def test_silence_is_a_timeout(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NANOBOT_STREAM_IDLE_TIMEOUT_S", "0.2")

    async def check(provider: Any, server: MessagesServer) -> None:
        server.reply(server.text("part", Act.HANG))
        with pytest.raises(errors.ProviderTimeout):
            await collect(provider.stream(request()))
        server.reply(Reply(body=[Act.HANG]))
        with pytest.raises(errors.ProviderTimeout):
            await collect(provider.stream(request()))

    talk(check)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, ("invalid_request_error", "max_tokens: 500 is 429"), errors.BadRequest),
        (
            400,
            (
                "invalid_request_error",
                "input length and `max_tokens` exceed context limit: 189136 + 20000 > 204648",
            ),
            errors.ContextOverflow,
        ),
        (
            400,
            ("invalid_request_error", "You have reached your specified API usage limits."),
            errors.QuotaError,
        ),
        (401, ("authentication_error", "connection timeout"), errors.AuthError),
        (402, ("billing_error", "Pay"), errors.QuotaError),
        (403, ("permission_error", "No"), errors.AuthError),
        (404, ("not_found_error", "model: claude-nope"), errors.BadRequest),
        (413, ("request_too_large", "Too large"), errors.ContextOverflow),
        (500, ("api_error", "prompt is too long, perhaps"), errors.OverloadError),
        (503, (None, None), errors.OverloadError),
        (307, (None, None), errors.BadRequest),
    ],
)
def test_refusals_are_typed_by_their_fields(
    talk: Talk, status: int, body: tuple[str | None, str | None], expected: type[Exception]
) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        error = {"type": body[0], "message": body[1]}
        location = {"location": f"{server.base_url}/elsewhere"} if status == 307 else {}
        server.reply(json_reply({"type": "error", "error": error}, status=status, **location))
        with pytest.raises(errors.ProviderError) as caught:
            await collect(provider.stream(request()))
        assert type(caught.value) is expected
        assert caught.value.status == status and caught.value.provider == "anthropic"
        assert len(server.requests) == 1, "neither retried nor redirected"

    talk(check)


def test_a_spend_limit_is_no_rate_limit(talk: Talk) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        details = {"error_code": "enforced_spend_limit_reached"}
        error = {"type": "rate_limit_error", "message": "Limit", "details": details}
        server.reply(json_reply({"type": "error", "error": error}, status=429))
        with pytest.raises(errors.QuotaError):
            await collect(provider.stream(request()))

    talk(check)


def test_the_vendors_words_are_short_and_keep_the_key(talk: Talk) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        message = f"bad key {KEY} " + "word " * 500
        error = {"type": "authentication_error", "message": message}
        server.reply(json_reply({"type": "error", "error": error}, status=401))
        with pytest.raises(errors.AuthError) as caught:
            await collect(provider.stream(request()))
        assert KEY not in str(caught.value) and "bad key" in caught.value.message
        assert len(caught.value.message) < 400
        assert "providers.anthropic.apiKey" in caught.value.remedy

    talk(check)


def test_retry_after_is_read_in_all_its_spellings() -> None:
    assert retry_after({"retry-after": "7"}) == 7
    assert retry_after({"retry-after": "7", "retry-after-ms": "1500"}) == 1.5
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    waited = retry_after({"retry-after": later})
    assert waited is not None and 50 < waited <= 60
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0


def test_fifty_streams_share_one_provider(talk: Talk) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        server.reply(server.text("one", " two"))
        runs = (collect(provider.stream(request(f"q{n}"))) for n in range(50))
        assert {answer(events) for events in await asyncio.gather(*runs)} == {"one two"}
        assert len(server.requests) == 50

    talk(check)


def test_models_are_listed(talk: Talk) -> None:
    async def check(provider: Any, server: MessagesServer) -> None:
        assert isinstance(provider, ModelLister)
        server.reply(server.models("claude-a", "claude-b"))
        models = await provider.list_models()
        assert [(m.id, m.context_window) for m in models] == [
            ("claude-a", 200_000),
            ("claude-b", 200_000),
        ]
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
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "error",
    ]
)
blocks = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "thinking", "tool_use", "redacted_thinking"]) | values},
    optional=dict.fromkeys(
        ("text", "thinking", "id", "name", "input", "signature", "data"), values
    ),
)
deltas = st.fixed_dictionaries(
    {"type": st.sampled_from(["text_delta", "input_json_delta", "signature_delta"]) | values},
    optional=dict.fromkeys(("text", "partial_json", "signature", "stop_reason"), values),
)
events = st.fixed_dictionaries(
    {"type": kinds | values},
    optional={
        "index": st.integers(0, 2) | values,
        "message": values,
        "content_block": blocks | values,
        "delta": deltas | values,
        "usage": values,
        "error": values,
    },
)


@settings(deadline=None)
@given(st.lists(events, max_size=8))
def test_no_stream_raises_anything_but_provider_errors(stream: list[dict[str, Any]]) -> None:
    made = Answer(model=MODEL, sent=b"{}", faults=FAULTS)
    try:
        for event in stream:
            for shown in made.feed(event):
                assert isinstance(shown, ModelText | ModelReasoning) and shown.text
        finish = made.finish()
    except errors.ProviderError:
        return
    assert len({call.id for call in finish.tool_calls}) == len(finish.tool_calls)
    for call in finish.tool_calls:
        assert isinstance(call.name, str) and isinstance(json.dumps(call.arguments), str)
