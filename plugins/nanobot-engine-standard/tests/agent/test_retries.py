"""Model calls that fail: tried again, handed to the next model, or told to the user."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from nanobot import errors
from nanobot.engine import Limits
from nanobot.messages import StopReason
from nanobot.provider import ModelFinish, ModelReasoning, ModelText
from nanobot.specs import ProviderSpec
from nanobot_engine_standard.model import ATTEMPTS

RETRYABLE = [
    errors.RateLimitError,
    errors.OverloadError,
    errors.TransportError,
    errors.ProviderTimeout,
    errors.MalformedAnswer,
]
NEXT_MODEL = [errors.AuthError, errors.QuotaError]
FINAL = [errors.ContentFiltered, errors.BadRequest]


@pytest.mark.parametrize("kind", RETRYABLE)
def test_what_may_pass_is_tried_again(lab: Any, kind: type[errors.ProviderError]) -> None:
    lab.model.fails(kind("busy"), times=ATTEMPTS - 1).says("Here.")
    events = lab.run("hi")
    assert lab.finished(events).content == lab.shown(events) == "Here."
    assert len(lab.notices(events, "retry")) == ATTEMPTS - 1
    assert len(lab.clock.slept) == ATTEMPTS - 1
    for wait, doubled in zip(lab.clock.slept, (1, 2, 4), strict=True):
        assert doubled * 0.75 <= wait <= doubled * 1.25


@pytest.mark.parametrize("kind", RETRYABLE)
def test_what_does_not_pass_is_an_error(lab: Any, kind: type[errors.ProviderError]) -> None:
    lab.model.fails(kind("busy", remedy="Wait a while."), times=ATTEMPTS)
    end = lab.finished(lab.run("hi"))
    assert end.stop_reason is StopReason.ERROR and end.error == "busy\nWait a while."
    assert lab.model.left == 0


@pytest.mark.parametrize("kind", [*NEXT_MODEL, *FINAL])
def test_what_will_not_pass_is_not_tried_again(lab: Any, kind: Any) -> None:
    lab.model.fails(kind("no"))
    assert lab.finished(lab.run("hi")).error == "no"
    assert len(lab.model.requests) == 1 and not lab.clock.slept


def test_the_vendor_says_how_long_to_wait(lab: Any) -> None:
    lab.model.fails(errors.RateLimitError("slow", retry_after=7)).says("ok")
    events = lab.run("hi")
    assert lab.clock.slept == [pytest.approx(7.1)]
    assert "Trying again in 7 s (1 of 3)" in lab.notices(events, "retry")[0]


@pytest.mark.parametrize("seconds", [61.0, float("inf")])
def test_a_long_wait_is_told_instead(lab: Any, seconds: float) -> None:
    lab.model.fails(errors.RateLimitError("come back later", retry_after=seconds))
    assert lab.finished(lab.run("hi")).error == "come back later" and not lab.clock.slept


@pytest.mark.parametrize("seconds", [float("nan"), -5.0])
def test_a_senseless_wait_is_passed_over(lab: Any, seconds: float) -> None:
    lab.model.fails(errors.RateLimitError("slow", retry_after=seconds)).says("ok")
    assert lab.finished(lab.run("hi")).content == "ok"
    assert 0.75 <= lab.clock.slept[0] <= 1.25


@pytest.mark.parametrize("kind", [*RETRYABLE, *NEXT_MODEL, *FINAL])
def test_shown_text_is_never_doubled(lab: Any, kind: Any) -> None:
    spare = lab.provider("spare")
    lab.presets["both"] = (lab.choice(), lab.choice("spare"))
    lab.model.fails(kind("it broke"), "So ", "far.")
    events = lab.run("hi", preset="both")
    end = lab.finished(events)
    assert lab.shown(events) == end.content == "So far." and end.error == "it broke"
    assert len(lab.model.requests) == 1 and not spare.requests
    lab.model.says("ok")
    lab.run("go on")
    assert lab.model.requests[-1].messages[1].text == "So far.", "the partial text is kept"


def test_shown_reasoning_is_not_doubled_either(lab: Any) -> None:
    async def thinks(request: Any) -> AsyncIterator[Any]:
        yield ModelReasoning(text="Hm.")
        raise errors.TransportError("reset")

    lab.model.then(thinks)
    assert lab.finished(lab.run("hi")).error == "reset" and len(lab.model.requests) == 1


# --- fallbacks ---------------------------------------------------------------------------------


def _three(lab: Any) -> Any:
    second, third = lab.provider("second"), lab.provider("third")
    lab.presets["chain"] = (
        lab.choice(),
        lab.choice("second", "m-2", max_tokens=5, temperature=0.9, effort="low"),
        lab.choice("third", "m-3"),
    )
    return second, third


@pytest.mark.parametrize("kind", [*RETRYABLE, *NEXT_MODEL])
def test_every_model_is_asked_in_turn(lab: Any, kind: Any) -> None:
    second, third = _three(lab)
    times = ATTEMPTS if kind.retryable else 1
    lab.model.fails(kind("one is down"), times=times)
    second.fails(kind("two is down."), times=times)
    third.says("Three answers.")
    events = lab.run("hi", preset="chain")
    end = lab.finished(events)
    assert (end.content, end.model) == ("Three answers.", "m-3")
    assert lab.notices(events, "fallback") == [
        "one is down. Asking second/m-2 instead.",
        "two is down. Asking third/m-3 instead.",
    ]
    asked = second.requests[0]
    assert (asked.model, asked.max_tokens, asked.temperature) == ("m-2", 5, 0.9)
    assert asked.reasoning_effort == "low" and asked.messages == lab.model.requests[0].messages


@pytest.mark.parametrize("kind", FINAL)
def test_what_is_wrong_with_the_request_is_told_at_once(lab: Any, kind: Any) -> None:
    second, _ = _three(lab)
    lab.model.fails(kind("no such thing"))
    assert lab.finished(lab.run("hi", preset="chain")).error == "no such thing"
    assert not second.requests


@pytest.mark.parametrize("kind", FINAL)
def test_a_fallback_that_refuses_does_not_end_the_chain(lab: Any, kind: Any) -> None:
    second, third = _three(lab)
    lab.model.fails(errors.AuthError("no key"))
    second.fails(kind("not me"))
    third.says("But me.")
    assert lab.finished(lab.run("hi", preset="chain")).content == "But me."


def test_the_next_turn_asks_the_first_model_again(lab: Any) -> None:
    second, _ = _three(lab)
    lab.model.fails(errors.AuthError("no key")).says("I am back.")
    second.says("For now.")
    assert lab.finished(lab.run("hi", preset="chain")).content == "For now."
    assert lab.finished(lab.run("hi", preset="chain")).content == "I am back."


def test_a_provider_that_can_not_be_opened_hands_over(lab: Any) -> None:
    def explode(config: Any, context: Any) -> Any:
        raise RuntimeError("no driver")

    lab.offer_factory("providers", ProviderSpec(name="second", factory=""), explode)
    lab.provider("third").says("Here.")
    lab.presets["chain"] = (lab.choice("second"), lab.choice("third"))
    events = lab.run("hi", preset="chain")
    assert lab.finished(events).content == "Here."
    assert "no driver" in lab.notices(events, "fallback")[0]


@pytest.mark.parametrize(
    "bug", [KeyError("choices"), SystemExit(1), asyncio.CancelledError(), TimeoutError("late")]
)
def test_a_bug_in_a_provider_hands_over_too(lab: Any, bug: BaseException) -> None:
    second, _ = _three(lab)
    lab.model.fails(bug)
    second.says("Here.")
    events = lab.run("hi", preset="chain")
    assert lab.finished(events).content == "Here."
    assert "main failed unexpectedly" in lab.notices(events, "fallback")[0]


def test_a_bug_in_the_only_provider_is_an_error_in_words(
    lab: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    lab.model.fails(KeyError("choices"), "Half an ")
    end = lab.finished(lab.run("hi"))
    assert end.stop_reason is StopReason.ERROR and end.content == "Half an "
    assert end.error == "main failed unexpectedly: KeyError: 'choices'"
    logged = capsys.readouterr().err
    assert "provider_crashed" in logged and "Traceback" in logged


# --- answers against the contract ---------------------------------------------------------------


def test_an_answer_without_an_end_is_malformed(lab: Any) -> None:
    async def endless(request: Any) -> AsyncIterator[Any]:
        return
        yield

    lab.model.then(endless).says("Whole.")
    assert lab.finished(lab.run("hi")).content == "Whole."
    assert len(lab.clock.slept) == 1


def test_an_answer_that_goes_on_after_its_end_is_malformed(lab: Any, lab_module: Any) -> None:
    async def babbles(request: Any) -> AsyncIterator[Any]:
        async for event in lab_module.answer("It is 4.")(request):
            yield event
        yield ModelText(text="Or 5.")

    lab.model.then(babbles)
    events = lab.run("hi")
    assert lab.shown(events) == "It is 4." and "after the end" in lab.finished(events).error


def test_the_stream_is_closed_after_every_answer(lab: Any) -> None:
    lab.model.fails(errors.TransportError("reset")).says("one").fails(errors.AuthError("no"), "a")
    lab.run("hi", "again")
    assert lab.model.opened == lab.model.closed == 3


# --- silence -----------------------------------------------------------------------------------


def test_a_silent_model_is_given_up(lab: Any) -> None:
    lab.limits = Limits(idle_timeout_s=0.01)
    for _ in range(ATTEMPTS):
        lab.model.hangs()
    end = lab.finished(lab.run("hi"))
    assert end.error == "main sent nothing for 0.01 s" and lab.model.closed == ATTEMPTS


def test_a_model_that_falls_silent_after_text_keeps_the_text(lab: Any) -> None:
    lab.limits = Limits(idle_timeout_s=0.01)
    lab.model.hangs("It is")
    end = lab.finished(lab.run("hi"))
    assert end.content == "It is" and "sent nothing" in end.error


def test_finish_is_seen_once(lab: Any, lab_module: Any) -> None:
    """A provider that ends twice has said nothing that can be relied on."""

    async def twice(request: Any) -> AsyncIterator[Any]:
        async for event in lab_module.answer()(request):
            yield event
            if isinstance(event, ModelFinish):
                yield event

    lab.model.then(twice).says("ok")
    assert lab.finished(lab.run("hi")).content == "ok"
