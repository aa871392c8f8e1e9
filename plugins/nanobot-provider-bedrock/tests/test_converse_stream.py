"""What comes back: the stream, its end, and everything that can go wrong with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nanobot import errors
from nanobot.context import SystemClock
from nanobot.messages import FinishReason
from nanobot.provider import ModelEvent, ModelFinish
from nanobot_provider_bedrock.answer import Answer
from nanobot_provider_bedrock.faults import VENDOR, Faults
from nanobot_provider_compat.failure import Failures
from nanobot_testing.contracts.provider import KEY, answer, ask, collect
from nanobot_testing.servers.converse import ConverseServer, event, exception, frame
from nanobot_testing.servers.wire import Act, Reply, json_reply

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


def finish_of(events: Sequence[ModelEvent]) -> ModelFinish:
    assert isinstance(events[-1], ModelFinish)
    return events[-1]


def joined(reply: Reply) -> bytes:
    return b"".join(piece for piece in reply.body if isinstance(piece, bytes))


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_packets_may_end_anywhere(talk: Any, size: int) -> None:
    async def check(provider: Any, server: ConverseServer) -> None:
        whole = joined(server.text("grün ", "🐈 ", "鳥"))
        server.reply(Reply(body=[whole[n : n + size] for n in range(0, len(whole), size)]))
        assert answer(await collect(provider.stream(ask(model=MODEL)))) == "grün 🐈 鳥"

    talk(check)


def test_usage_in_full(talk: Any) -> None:
    async def check(provider: Any, server: ConverseServer) -> None:
        server.reply(server.text("so"))
        usage = finish_of(await collect(provider.stream(ask(model=MODEL)))).usage
        assert (usage.billed.input, usage.billed.output) == (120, 30)
        assert (usage.billed.cached, usage.billed.cache_write) == (90, 10)
        assert usage.context == 150 and not usage.estimated
        server.reply(server.stream([], "end_turn", usage=None))
        usage = finish_of(await collect(provider.stream(ask(model=MODEL)))).usage
        assert usage.estimated and usage.billed.input > 10 and usage.billed.output > 0

    talk(check)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("end_turn", FinishReason.STOP),
        ("stop_sequence", FinishReason.STOP),
        ("max_tokens", FinishReason.LENGTH),
        ("model_context_window_exceeded", FinishReason.LENGTH),
        ("guardrail_intervened", FinishReason.CONTENT_FILTER),
        ("content_filtered", FinishReason.CONTENT_FILTER),
        ("something_new", FinishReason.STOP),
    ],
)
def test_reasons_to_stop(talk: Any, reason: str, expected: FinishReason) -> None:
    async def check(provider: Any, server: ConverseServer) -> None:
        server.reply(server.stream([], reason))
        assert finish_of(await collect(provider.stream(ask(model=MODEL)))).reason is expected

    talk(check)


def test_output_that_the_model_spoiled_is_malformed(talk: Any) -> None:
    async def check(provider: Any, server: ConverseServer) -> None:
        for reason in ("malformed_model_output", "malformed_tool_use"):
            server.reply(server.stream([], reason))
            with pytest.raises(errors.MalformedAnswer):
                await collect(provider.stream(ask(model=MODEL)))

    talk(check)


def test_calls(talk: Any) -> None:
    async def check(provider: Any, server: ConverseServer) -> None:
        server.reply(server.tools(("a", '{"path": "ä"}'), ("b", ""), ("c", "[1"), text="Look:"))
        events = await collect(provider.stream(ask(model=MODEL)))
        calls = finish_of(events).tool_calls
        assert [(call.name, call.arguments) for call in calls] == [
            ("a", '{"path": "ä"}'),
            ("b", "{}"),
            ("c", "[1"),
        ]

    talk(check)


def test_a_call_that_was_cut_off_is_left_out_and_ids_are_unique(talk: Any) -> None:
    def call(number: int, arguments: str) -> list[bytes | Act]:
        start = {"toolUse": {"toolUseId": "same", "name": f"n{number}"}}
        delta = {"toolUse": {"input": arguments}}
        return [
            event("contentBlockStart", {"contentBlockIndex": number, "start": start}),
            event("contentBlockDelta", {"contentBlockIndex": number, "delta": delta}),
        ]

    async def check(provider: Any, server: ConverseServer) -> None:
        server.reply(server.stream([call(0, "{}"), call(1, "{}"), call(2, '{"pa')], "max_tokens"))
        finish = finish_of(await collect(provider.stream(ask(model=MODEL))))
        assert finish.reason is FinishReason.LENGTH
        assert [call.name for call in finish.tool_calls] == ["n0", "n1"]
        assert len({call.id for call in finish.tool_calls}) == 2

    talk(check)


@pytest.mark.parametrize(
    ("kind", "message", "expected"),
    [
        ("throttlingException", "slow", errors.RateLimitError),
        ("serviceUnavailableException", "down", errors.OverloadError),
        ("internalServerException", "oops", errors.OverloadError),
        ("modelStreamErrorException", "oops", errors.OverloadError),
        ("validationException", "Input is too long for requested model.", errors.ContextOverflow),
        ("validationException", "429 timeout: the value is wrong", errors.BadRequest),
    ],
)
def test_exceptions_in_a_stream_are_typed(
    talk: Any, kind: str, message: str, expected: type[Exception]
) -> None:
    async def check(provider: Any, server: ConverseServer) -> None:
        begun = list(server.text("begun").body)[:3]
        server.reply(Reply(body=[*begun, exception(kind, message)]))
        seen: list[ModelEvent] = []
        with pytest.raises(errors.ProviderError) as caught:
            async for shown in provider.stream(ask(model=MODEL)):
                seen.append(shown)
        assert type(caught.value) is expected and caught.value.remedy
        assert answer(seen) == "begun"

    talk(check)


@pytest.mark.parametrize(
    ("status", "name", "message", "expected"),
    [
        (403, "AccessDeniedException", "no", errors.AuthError),
        (403, "ExpiredTokenException", "The security token is expired", errors.AuthError),
        (400, "ServiceQuotaExceededException", "no", errors.QuotaError),
        (429, "ThrottlingException", "Too many tokens, please wait", errors.RateLimitError),
        (429, "ModelNotReadyException", "loading", errors.OverloadError),
        (408, "ModelTimeoutException", "late", errors.ProviderTimeout),
        (424, "ModelErrorException", "no", errors.OverloadError),
        (404, "ResourceNotFoundException", "no such model", errors.BadRequest),
        (400, "ValidationException", "500 connection timeout", errors.BadRequest),
        (400, "ValidationException", "prompt is too long: 200001 tokens", errors.ContextOverflow),
        (500, "InternalServerException", "no", errors.OverloadError),
        (307, "", "", errors.BadRequest),
    ],
)
def test_refusals_are_typed_by_their_exception(
    talk: Any, status: int, name: str, message: str, expected: type[Exception]
) -> None:
    async def check(provider: Any, server: ConverseServer) -> None:
        for headers, body in (
            ({"x-amzn-errortype": f"{name}:http://x/"}, {"message": message}),
            ({}, {"__type": f"com.amazon#{name}", "Message": message}),
        ):
            server.reply(json_reply(body, status=status, **headers))
            with pytest.raises(errors.ProviderError) as caught:
                await collect(provider.stream(ask(model=MODEL)))
            assert type(caught.value) is expected and caught.value.status == status
            assert caught.value.remedy and KEY not in str(caught.value)
        assert len(server.requests) == 2

    talk(check)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>hello</html>" * 10,
        frame(b"{bad", message_type="event", event_type="messageStart"),
        event("messageStart", {})[:-1] + b"x",
        event("contentBlockDelta", {"delta": 5}),
        frame({}, message_type="event"),
    ],
)
def test_an_answer_of_another_kind_is_malformed(talk: Any, body: bytes) -> None:
    async def check(provider: Any, server: ConverseServer) -> None:
        server.reply(Reply(body=[body]))
        with pytest.raises(errors.MalformedAnswer) as caught:
            await collect(provider.stream(ask(model=MODEL)))
        assert "<" not in str(caught.value) and caught.value.remedy

    talk(check)


def test_silence_is_a_timeout(talk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NANOBOT_STREAM_IDLE_TIMEOUT_S", "0.2")

    async def check(provider: Any, server: ConverseServer) -> None:
        server.reply(server.text("part", Act.HANG))
        with pytest.raises(errors.ProviderTimeout):
            await collect(provider.stream(ask(model=MODEL)))

    talk(check)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)
kinds = st.sampled_from(
    ["messageStart", "contentBlockStart", "contentBlockDelta", "messageStop", "metadata", "new"]
)
payloads = st.fixed_dictionaries(
    {},
    optional={
        "contentBlockIndex": st.integers(0, 2) | values,
        "start": st.fixed_dictionaries({"toolUse": values}) | values,
        "delta": st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("text", "toolUse", "reasoningContent"), values)
        )
        | values,
        "stopReason": values,
        "usage": values,
    },
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(kinds, payloads), max_size=6))
def test_no_stream_raises_anything_but_provider_errors(stream: list[tuple[str, Any]]) -> None:
    failures = Failures(
        provider="bedrock", section="providers.bedrock", vendor=VENDOR, address="http://x"
    )
    made = Answer(Faults(failures, SystemClock()), sent=b"{}")
    try:
        for kind, payload in stream:
            list(made.feed(event(kind, payload)))
        finish = made.finish()
    except errors.ProviderError:
        return
    json.dumps([block.opaque for block in finish.reasoning])


# --- the corpus of faults -----------------------------------------------------------------------

CORPUS = json.loads(
    Path(__file__).with_name("corpora").joinpath("provider_faults.json").read_text()
)
ITEMS = {item["id"]: item["input"] for item in CORPUS["items"]}


def script(
    server: ConverseServer, fault: dict[str, Any]
) -> tuple[Reply, type[errors.ProviderError] | None]:
    """Return what the server does, and the error that must come of it."""
    if status := fault.get("status"):
        if status == 200:
            text = fault["body"] if "body" in fault else json.dumps(fault["json"])
            return Reply(body=[text.encode()], chunked=False), errors.MalformedAnswer
        wait = {"retry-after": str(fault["retry_after"])} if "retry_after" in fault else {}
        kind = {429: errors.RateLimitError, 503: errors.OverloadError}[status]
        return json_reply({"message": "no"}, status=status, **wait), kind
    if "stream" in fault and fault.get("then") == "abort":
        return server.text(*fault["stream"], Act.CLOSE), errors.TransportError
    if "stream" in fault:
        return Reply(body=[line.encode() for line in fault["stream"]]), errors.MalformedAnswer
    if fault.get("stream_bytes") == "split_utf8":
        whole = joined(server.text("wörld 🐈"))
        return Reply(body=[whole[n : n + 1] for n in range(len(whole))]), None
    if "tool_calls" in fault:
        count = fault["tool_calls"] if isinstance(fault["tool_calls"], int) else 1
        reply = server.tools(*[("read_file", '{"path": "a"}')] * count, split=5)
        return reply, errors.MalformedAnswer if count > 1 else None
    if "finish_reason" in fault:
        return server.text("wörld 🐈", finish=fault["finish_reason"]), None
    if fault.get("connect") == "reset_after_headers":
        return Reply(body=[Act.RESET]), errors.TransportError
    if fault.get("context_overflow"):
        return server.failure("context"), errors.ContextOverflow
    if "dns" in fault:
        return server.text("never asked"), errors.TransportError
    assert fault == {"ok": True}, f"the corpus has a fault that no script plays: {fault}"
    return server.text("wörld 🐈"), None


@pytest.mark.parametrize("item", ITEMS)
def test_a_fault_ends_cleanly_and_the_next_request_works(talk: Any, item: str) -> None:
    fault = ITEMS[item]

    async def check(provider: Any, server: ConverseServer) -> None:
        reply, expected = script(server, fault)
        server.reply(reply)
        seen: list[ModelEvent] = []
        try:
            async for shown in provider.stream(ask(model=MODEL)):
                seen.append(shown)
        except errors.ProviderError as error:
            assert type(error) is expected and error.remedy
            assert KEY not in str(error) and "<" not in str(error)
            assert ("retry_after" not in fault) or error.retry_after is not None
        else:
            assert expected is None
            assert len(finish_of(seen).tool_calls) or answer(seen) == "wörld 🐈"
        if "dns" not in fault:
            server.reply(server.text("next"))
            assert answer(await collect(provider.stream(ask(model=MODEL)))) == "next"

    talk(check, config={"apiBase": "http://no-such-host.invalid"} if "dns" in fault else None)
