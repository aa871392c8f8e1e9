"""A login in use: renewed in time, once, and never lost."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from nanobot import errors, log
from nanobot.specs import ProviderSpec
from nanobot_oauth.config import OAuthConfig, configured
from nanobot_oauth.session import EARLY_S, open_session
from nanobot_oauth.specs import OPTION, Login
from nanobot_oauth.tokens import Tokens, claims
from nanobot_testing import make_context, run
from nanobot_testing.servers.wire import Reply, json_reply


async def signed_in(world: Any, lifetime: float = 3600) -> Tokens:
    world.server.device_answers.clear()
    world.server.lifetime = lifetime
    tokens: Tokens = await world.issuer().token("urn:ietf:params:oauth:grant-type:device_code")
    world.server.lifetime = 3600
    world.store.save(tokens)
    return tokens


def test_tokens_are_used_until_their_end_is_near(in_world: Any) -> None:
    async def check(world: Any) -> None:
        first = await signed_in(world)
        session = world.session()
        assert await session.headers() == {"authorization": f"Bearer {first.access}"}
        world.clock.seconds += 3600 - EARLY_S - 1
        assert (await session.tokens()).access == first.access
        world.clock.seconds += 2
        second = await session.tokens()
        assert second.access != first.access and second.access in world.server.access
        assert world.store.load() == second and second.refresh != first.refresh
        assert (await session.tokens()) == second

    in_world(check)


def test_tokens_without_an_end_are_kept(in_world: Any) -> None:
    async def check(world: Any) -> None:
        world.server.lifetime = None
        issuer = world.issuer(lifetime_s=None)
        tokens = await issuer.token("urn:ietf:params:oauth:grant-type:device_code")
        assert tokens.expires_at is None and tokens.lasts_beyond(1e12)
        told = await world.issuer().token("urn:ietf:params:oauth:grant-type:device_code")
        assert told.expires_at == world.clock.seconds + 3600

    in_world(check)


def test_of_many_who_want_to_renew_one_does(in_world: Any) -> None:
    async def check(world: Any) -> None:
        await signed_in(world, lifetime=1)
        before = len(world.server.requests)
        sessions = [world.session() for _ in range(3)]  # as many processes
        found = await asyncio.gather(*(s.tokens() for s in sessions for _ in range(5)))
        assert len({tokens.access for tokens in found}) == 1
        assert len(world.server.requests) == before + 1

    in_world(check)


def test_a_refused_token_is_renewed_though_its_time_is_not_over(in_world: Any) -> None:
    """The clock here may be wrong, or the issuer took the token back."""

    async def check(world: Any) -> None:
        await signed_in(world)
        world.clock.seconds -= 100_000
        world.server.revoke()
        session = world.session()
        refused = await session.headers()
        fresh = await session.renewed(refused)
        assert fresh is not None and fresh != refused
        assert fresh["authorization"].removeprefix("Bearer ") in world.server.access
        count = len(world.server.requests)
        assert await session.renewed(refused) == fresh, "another task was faster"
        assert len(world.server.requests) == count

    in_world(check)


def test_a_token_that_can_not_be_renewed(in_world: Any) -> None:
    async def check(world: Any) -> None:
        tokens = Tokens(access="access-CANARY", expires_at=world.clock.seconds + 10)
        world.store.save(tokens)
        session = world.session()
        headers = await session.headers()
        assert headers == {"authorization": "Bearer access-CANARY"}
        assert await session.renewed(headers) is None

    in_world(check)


def test_a_cancelled_caller_does_not_lose_the_new_tokens(in_world: Any) -> None:
    async def check(world: Any) -> None:
        first = await signed_in(world, lifetime=1)
        asked, go = asyncio.Event(), asyncio.Event()
        serve = world.server._write

        async def slow(*arguments: Any) -> bool:
            asked.set()
            await go.wait()
            return bool(await serve(*arguments))

        world.server._write = slow
        session = world.session()
        caller = asyncio.create_task(session.tokens())
        await asked.wait()
        caller.cancel()
        await asyncio.wait([caller])
        assert caller.cancelled()
        go.set()
        await session.aclose()
        kept = world.store.load()
        assert kept.access != first.access and kept.access in world.server.access

    in_world(check)


def test_a_login_that_was_taken_back_asks_for_a_new_one(in_world: Any) -> None:
    async def check(world: Any) -> None:
        first = await signed_in(world, lifetime=1)
        world.server.forget()
        with pytest.raises(errors.AuthError, match="not valid any more") as caught:
            await world.session().headers()
        assert "nanobot provider login acme-plan" in caught.value.remedy
        assert world.store.load() == first, "nothing is thrown away"

    in_world(check)


def test_an_outage_of_the_issuer(in_world: Any) -> None:
    async def check(world: Any) -> None:
        first = await signed_in(world, lifetime=100)
        session = world.session()
        world.server.outages.extend([503, 503, 429])
        assert (await session.tokens()).access == first.access, "it is good for a while yet"
        world.clock.seconds += 101
        with pytest.raises(errors.OverloadError):
            await session.tokens()
        with pytest.raises(errors.RateLimitError):
            await session.tokens()
        assert (await session.tokens()).access in world.server.access

    in_world(check)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=[b"<html>hello</html>"]),
        json_reply([]),
        json_reply({"token_type": "bearer"}),
        json_reply({"access_token": 7}),
    ],
)
def test_an_answer_that_is_none(in_world: Any, reply: Reply) -> None:
    async def check(world: Any) -> None:
        first = await signed_in(world, lifetime=1)
        world.clock.seconds += 2
        world.server.answer = lambda request: reply
        with pytest.raises(errors.MalformedAnswer):
            await world.session().tokens()
        assert world.store.load() == first

    in_world(check)


def test_nobody_is_signed_in(in_world: Any) -> None:
    async def check(world: Any) -> None:
        session = world.session()
        for _ in range(2):
            with pytest.raises(errors.AuthError, match="not signed in") as caught:
                await session.headers()
            assert "nanobot provider login acme-plan" in caught.value.remedy
            world.store.path.parent.mkdir(exist_ok=True)
            world.store.path.write_text('{"owner": ')
        world.store.path.unlink()
        world.store.path.mkdir()
        with pytest.raises(errors.AuthError, match="can not be read"):
            await session.headers()

    in_world(check)


def test_a_login_and_a_logout_elsewhere_count_at_once(in_world: Any) -> None:
    async def check(world: Any) -> None:
        session = world.session()
        tokens = await signed_in(world)
        assert (await session.tokens()) == tokens
        assert world.store.delete() and not world.store.delete()
        with pytest.raises(errors.AuthError):
            await session.tokens()

    in_world(check)


def test_the_file_is_private_and_bound_to_its_issuer(in_world: Any) -> None:
    async def check(world: Any) -> None:
        tokens = await signed_in(world)
        path: Path = world.store.path
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        path.chmod(0o644)
        assert world.store.load() == tokens
        assert path.stat().st_mode & 0o777 == 0o600
        data = json.loads(path.read_text())
        for name in ("issuer", "client"):
            other = {**data, "owner": {**data["owner"], name: "another"}}
            path.write_text(json.dumps(other))
            assert world.store.load() is None, "tokens never go to another issuer"

    in_world(check)


def test_a_folder_that_can_not_be_written(in_world: Any, monkeypatch: Any) -> None:
    async def check(world: Any) -> None:
        await signed_in(world, lifetime=1)

        def refuse(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("nanobot_oauth.tokens.write_private", refuse)
        world.clock.seconds += 2
        count = len(world.server.requests)
        with pytest.raises(errors.TransportError, match="can not be written"):
            await world.session().tokens()
        assert len(world.server.requests) == count, "the old tokens are still good"

    in_world(check)


def test_tokens_are_never_shown(in_world: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def check(world: Any) -> None:
        tokens = await signed_in(world, lifetime=1)
        session = world.session()
        with caplog.at_level(logging.DEBUG):
            await session.headers()
        held = world.store.load()
        assert "CANARY" not in f"{tokens!r} {held!r} {session!r} {world.store!r}" + caplog.text
        assert log.redact(f"x {held.access} {held.refresh} {tokens.access}") == "x *** *** ***"

    in_world(check)


def test_what_a_token_says_of_its_owner() -> None:
    assert claims("eyJhbGciOiJub25lIn0.eyJhIjogMX0.sig") == {"a": 1}
    for rubbish in ("", "a", "a.b.c", "a.W10.c", "a.\u00ff.c"):
        assert claims(rubbish) == {}


LOGIN = Login(issuer="https://auth.example.com", client_id="a", token_path="/token")


def test_a_section_may_name_another_issuer() -> None:
    config = OAuthConfig.model_validate({"issuer": "http://127.0.0.1:1/x/", "clientId": "b"})
    login = configured(LOGIN, config, "providers.acme")
    assert (login.issuer, login.client_id) == ("http://127.0.0.1:1/x", "b")
    assert configured(LOGIN, OAuthConfig(), "providers.acme") == LOGIN


@pytest.mark.parametrize(
    "issuer", ["http://auth.example.com", "auth.example.com", "https://", "http://[::1"]
)
def test_an_issuer_without_tls_is_refused(issuer: str) -> None:
    with pytest.raises(errors.ConfigError, match=r"providers\.acmePlan\.issuer") as caught:
        configured(LOGIN, OAuthConfig(issuer=issuer), "providers.acmePlan")
    assert caught.value.remedy


def test_ways_to_sign_in() -> None:
    assert LOGIN.ways == ()
    assert Login(issuer="", client_id="", token_path="", device_path="/d").ways == ("device",)
    both = Login(issuer="", client_id="", token_path="", device_path="/d", authorize_path="/a")
    assert both.ways == ("browser", "paste", "device")


def test_a_session_is_opened_for_a_provider(tmp_path: Path) -> None:
    async def go() -> None:
        spec = ProviderSpec(name="acme_plan", factory="acme:open", options={OPTION: LOGIN})
        context = make_context(spec, tmp_path, plugin="providers.acme_plan")
        async with open_session(OAuthConfig(), context) as session:
            with pytest.raises(errors.AuthError, match="acme_plan is not signed in"):
                await session.headers()
        with pytest.raises(errors.ConfigError, match=r"providers\.acmePlan\.issuer"):
            async with open_session(OAuthConfig(issuer="x"), context):
                pass

    run(go())
