"""Circuits, several keys of one vendor, requests a minute, and waiting failures out."""

from __future__ import annotations

from typing import Any

import pytest
from nanobot import errors
from nanobot.engine import Limits, ModelChoice
from nanobot_engine_standard.model import ATTEMPTS
from nanobot_engine_standard.policy import OPEN_S, Policy
from nanobot_testing import run
from nanobot_testing.lab import FakeClock


def choice(provider: str = "a", model: str = "m", **more: Any) -> ModelChoice:
    return ModelChoice(provider=provider, model=model, **more)


@pytest.mark.parametrize("kind", OPEN_S)
def test_a_model_that_fails_is_asked_last_until_its_circuit_closes(
    kind: type[errors.ProviderError],
) -> None:
    clock = FakeClock()
    policy = Policy(clock)
    first, second = choice(), choice("b")
    policy.failed(first, kind("no"))
    assert policy.ordered([first, second]) == [second, first]
    run(clock.sleep(OPEN_S[kind] + 1))
    assert policy.ordered([first, second]) == [first, second]


def test_a_circuit_is_of_one_key_one_model_and_one_kind_of_error() -> None:
    policy = Policy(FakeClock())
    failed, other_model, other_key = choice(), choice(model="n"), choice(alias="a#2")
    policy.failed(failed, errors.QuotaError("no credit"))
    ordered = policy.ordered([failed, other_model, other_key])
    assert ordered == [other_model, other_key, failed]
    policy.failed(other_model, errors.BadRequest("what?"))
    assert policy.ordered([failed, other_model]) == [other_model, failed]


def test_an_answer_closes_the_circuit_and_a_vendors_wait_is_believed() -> None:
    clock = FakeClock()
    policy = Policy(clock)
    one, two = choice(), choice("b")
    policy.failed(one, errors.RateLimitError("slow", retry_after=120))
    run(clock.sleep(100))
    assert policy.ordered([one, two]) == [two, one]
    policy.succeeded(one)
    assert policy.ordered([one, two]) == [one, two]


def test_what_was_found_out_in_one_turn_counts_in_the_next(lab: Any) -> None:
    spare = lab.provider("spare")
    lab.presets["both"] = (lab.choice(), lab.choice("spare"))

    async def two_turns() -> Any:
        async with lab.agent() as agent:
            first = await lab.ask(agent, "hi", preset="both")
            second = await lab.ask(agent, "hi again", preset="both")
            return first, second

    lab.model.fails(errors.QuotaError("no credit left"))
    spare.says("I help out.").says("Still me.")
    first, second = run(two_turns())
    assert len(lab.notices(first, "fallback")) == 1 and not lab.notices(second, "fallback")
    assert lab.finished(second).content == "Still me."
    assert len(lab.model.requests) == 1


def test_the_only_model_is_asked_although_its_circuit_is_open(lab: Any) -> None:
    async def two_turns() -> Any:
        async with lab.agent() as agent:
            await lab.ask(agent, "hi")
            return await lab.ask(agent, "hi again")

    lab.model.fails(errors.AuthError("wrong key")).says("The key is right now.")
    assert lab.finished(run(two_turns())).content == "The key is right now."


@pytest.mark.parametrize("kind", [errors.RateLimitError, errors.AuthError, errors.QuotaError])
def test_the_next_key_is_taken_at_once_and_silently(lab: Any, kind: Any) -> None:
    lab.presets["keys"] = (
        lab.choice(),
        ModelChoice(provider=lab.choice().provider, model=lab.choice().model, alias="main#2"),
    )
    lab.model.fails(kind("this key is limited")).says("With the other key.")
    events = lab.run("hi", preset="keys")
    assert lab.finished(events).content == "With the other key."
    assert not lab.clock.slept and not lab.notices(events, "fallback")


def test_an_overload_is_not_the_keys_fault(lab: Any) -> None:
    same = lab.choice()
    lab.presets["keys"] = (
        same,
        ModelChoice(provider=same.provider, model=same.model, alias="main#2"),
    )
    lab.model.fails(errors.OverloadError("busy"), times=ATTEMPTS).says("ok")
    lab.run("hi", preset="keys")
    assert len(lab.clock.slept) == ATTEMPTS - 1


def test_requests_keep_within_the_rate() -> None:
    clock = FakeClock()
    policy = Policy(clock)
    limited, free = choice(requests_per_minute=2), choice("b")

    async def ask() -> list[float]:
        at = []
        for _ in range(5):
            await policy.pace(limited)
            at.append(clock.monotonic())
            await policy.pace(free)
        return at

    assert run(ask()) == [0.0, 0.0, 60.0, 60.0, 120.0]


def test_failures_are_outwaited_where_that_is_wanted(lab: Any) -> None:
    lab.limits = Limits(persistent=True)
    lab.model.fails(errors.OverloadError("busy"), times=3 * ATTEMPTS).says("At last.")
    events = lab.run("hi")
    assert lab.finished(events).content == "At last."
    assert lab.shown(events) == "At last."


def test_what_does_not_pass_is_not_outwaited(lab: Any) -> None:
    lab.limits = Limits(persistent=True)
    lab.model.fails(errors.AuthError("wrong key"))
    assert lab.finished(lab.run("hi")).error == "wrong key"
    assert not lab.clock.slept
