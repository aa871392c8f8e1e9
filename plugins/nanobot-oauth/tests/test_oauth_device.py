"""The device flow: what is shown, how often is asked, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest
from nanobot import errors
from nanobot_oauth.flows import sign_in
from nanobot_oauth.issuer import Refused
from nanobot_testing.servers.wire import json_reply


def test_a_code_is_shown_and_the_tokens_come(in_world: Any, user: Any) -> None:
    async def check(world: Any) -> None:
        world.server.device_answers.extend(["authorization_pending", "authorization_pending"])
        tokens = await sign_in(world.issuer(), user, "device")
        assert user.seen == [(f"{world.server.base_url}/activate", "ABCD-1234")]
        assert tokens.access in world.server.access and tokens.refresh
        assert world.clock.waits == [5, 5, 5]
        assert tokens.expires_at == world.clock.seconds + 3600
        asked = world.server.requests[0].body.decode()
        assert "client_id=test-client" in asked and "scope=openid+chat" in asked

    in_world(check)


def test_who_is_told_to_slow_down_does(in_world: Any, user: Any) -> None:
    async def check(world: Any) -> None:
        world.server.device_answers.extend(["slow_down", "authorization_pending", "slow_down"])
        await sign_in(world.issuer(), user, "device")
        assert world.clock.waits == [5, 10, 10, 15]

    in_world(check)


def test_an_outage_is_waited_out(in_world: Any, user: Any) -> None:
    async def check(world: Any) -> None:
        world.server.outages.extend([503, 502])
        assert (await sign_in(world.issuer(), user, "device")).access in world.server.access
        assert world.clock.waits == [5, 10, 15]

    in_world(check)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("access_denied", "declined"),
        ("expired_token", "not entered in time"),
        ("unauthorized_client", "unauthorized_client"),
        ("<script>CANARY</script>", "(error)"),
    ],
)
def test_a_refusal_says_what_to_do(in_world: Any, user: Any, code: str, words: str) -> None:
    async def check(world: Any) -> None:
        world.server.device_answers.append(code)
        with pytest.raises(Refused, match=words.replace("(", r"\(").replace(")", r"\)")) as caught:
            await sign_in(world.issuer(), user, "device")
        assert caught.value.remedy == "Sign in with: nanobot provider login acme-plan"
        assert "CANARY" not in str(caught.value) + repr(caught.value)

    in_world(check)


def test_a_code_that_nobody_enters_ends(in_world: Any, user: Any) -> None:
    async def check(world: Any) -> None:
        world.server.interval = 100
        world.server.device_answers.extend(["authorization_pending"] * 1000)
        with pytest.raises(Refused, match="not entered in time"):
            await sign_in(world.issuer(), user, "device")
        assert sum(world.clock.waits) == 900, "the time that the issuer gave"

    in_world(check)


def test_an_issuer_that_sends_no_code_is_refused(in_world: Any, user: Any) -> None:
    async def check(world: Any) -> None:
        world.server.answer = lambda request: json_reply({"user_code": "A"})
        with pytest.raises(errors.MalformedAnswer, match="no code"):
            await sign_in(world.issuer(), user, "device")
        assert user.seen == []

    in_world(check)


def test_an_issuer_that_can_not_be_reached(in_world: Any, user: Any) -> None:
    async def check(world: Any) -> None:
        with pytest.raises(errors.TransportError, match="can not be reached"):
            await sign_in(world.issuer(issuer="http://127.0.0.1:9"), user, "device")

    in_world(check)
