"""The browser flow: who is let in, and who is not."""

from __future__ import annotations

import asyncio
import socket
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from nanobot import errors
from nanobot_oauth.browser import Callback, sign_in_by_browser
from nanobot_oauth.flows import sign_in
from nanobot_oauth.issuer import Refused
from nanobot_testing import run


def query_of(address: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(address).query)


def test_the_browser_comes_back_with_a_code(in_world: Any, user: Any, browse: Any) -> None:
    async def check(world: Any) -> None:
        async def act(address: str) -> Any:
            return await browse(world.server.agree(address))

        user.does = act
        tokens = await sign_in(world.issuer(), user, "browser")
        assert tokens.access in world.server.access
        status, head, body = await user.acting
        assert status == 200 and "signed in" in body and "no-store" in head
        asked = query_of(user.seen[0][0])
        assert asked["prompt"] == ["login"] and asked["scope"] == ["openid chat"]
        redirect = asked["redirect_uri"][0]
        assert redirect.startswith("http://localhost:") and redirect.endswith("/auth/callback")
        assert len(asked["code_challenge"][0]) == 43
        with pytest.raises(OSError):
            await browse(redirect)

    in_world(check)


def test_each_sign_in_has_secrets_of_its_own(in_world: Any, user: Any, browse: Any) -> None:
    async def check(world: Any) -> None:
        async def act(address: str) -> Any:
            return await browse(world.server.agree(address))

        user.does = act
        for _ in range(2):
            await sign_in(world.issuer(), user, "browser")
        first, second = (query_of(address) for address, _ in user.seen)
        assert first["state"] != second["state"]
        assert first["code_challenge"] != second["code_challenge"]

    in_world(check)


def test_a_wrong_state_changes_nothing(in_world: Any, user: Any, browse: Any) -> None:
    async def check(world: Any) -> None:
        async def act(address: str) -> Any:
            good = world.server.agree(address)
            state = query_of(good)["state"][0]
            forged = [good.replace(state, "x" * len(state)), good.partition("?")[0]]
            refused = [(await browse(target))[0] for target in forged]
            return refused, (await browse(good))[0]

        user.does = act
        await sign_in(world.issuer(), user, "browser")
        assert await user.acting == ([400, 400], 200)

    in_world(check)


def test_other_requests_are_turned_away(in_world: Any, user: Any, browse: Any) -> None:
    async def check(world: Any) -> None:
        async def act(address: str) -> Any:
            good = world.server.agree(address)
            there = [
                await browse(good.replace("/auth/callback", "/elsewhere")),
                await browse(good, method="POST"),
                await browse(good, method="OPTIONS"),
            ]
            port = urlsplit(good).port
            silent = await asyncio.open_connection("127.0.0.1", port)
            rubbish = await asyncio.open_connection("127.0.0.1", port)
            rubbish[1].write(b"\x00\r\n\r\n")
            assert await rubbish[0].read() == b""
            rubbish[1].close()
            await browse(good)
            silent[1].close()
            return there

        user.does = act
        await sign_in(world.issuer(), user, "browser")
        elsewhere, posted, asked = await user.acting
        assert elsewhere[0] == posted[0] == 404 and asked[0] == 204
        assert "access-control-allow-origin: https://accounts.example\r\n" in asked[1] + "\r\n"

    in_world(check)


def test_the_first_answer_counts_and_no_other() -> None:
    async def go() -> None:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        callback = Callback("/back", "state", "", answer)
        first, second = (
            callback.reply(f"GET /back?state=state&code={code} HTTP/1.1\r\n\r\n") for code in "ab"
        )
        assert first.startswith(b"HTTP/1.1 200") and second.startswith(b"HTTP/1.1 409")
        assert (await answer)["code"] == ["a"]

    run(go())


def test_a_code_that_was_spent_is_refused(in_world: Any, user: Any, browse: Any) -> None:
    async def check(world: Any) -> None:
        async def act(address: str) -> Any:
            return await browse(world.server.agree(address))

        user.does = act
        await sign_in(world.issuer(), user, "browser")
        spent = parse_qs(world.server.requests[-1].body.decode())
        fields = {name: spent[name][0] for name in ("code", "redirect_uri", "code_verifier")}
        with pytest.raises(Refused, match="not valid any more") as caught:
            await world.issuer().token("authorization_code", **fields)
        assert caught.value.code == "invalid_grant" and "CANARY" not in str(caught.value)

    in_world(check)


def test_a_user_who_declines(in_world: Any, user: Any, browse: Any) -> None:
    async def check(world: Any) -> None:
        async def act(address: str) -> Any:
            return await browse(world.server.decline(address))

        user.does = act
        with pytest.raises(Refused, match="declined"):
            await sign_in(world.issuer(), user, "browser")
        assert "declined" in (await user.acting)[2]

    in_world(check)


def test_nobody_comes(in_world: Any, user: Any) -> None:
    async def check(world: Any) -> None:
        with pytest.raises(Refused, match="not entered in time"):
            await sign_in_by_browser(world.issuer(), user, patience_s=0.01)
        assert world.server.requests == []

    in_world(check)


def test_a_port_that_is_taken(in_world: Any, user: Any) -> None:
    async def check(world: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            issuer = world.issuer(redirect=f"http://localhost:{port}/callback")
            with pytest.raises(errors.ConfigError, match=str(port)) as caught:
                await sign_in(issuer, user, "browser")
        assert "--paste" in caught.value.remedy and user.seen == []

    in_world(check)


def test_the_address_may_be_pasted(in_world: Any, user: Any) -> None:
    async def check(world: Any) -> None:
        async def act(address: str) -> str:
            return f"  {world.server.agree(address)}\n"

        user.does = act
        assert (await sign_in(world.issuer(), user, "paste")).access in world.server.access
        assert query_of(user.seen[0][0])["redirect_uri"] == ["http://localhost/auth/callback"]

    in_world(check)


@pytest.mark.parametrize("pasted", ["", "abc", "http://localhost/auth/callback?code=x&state=y"])
def test_a_pasted_address_of_another_sign_in(in_world: Any, user: Any, pasted: str) -> None:
    async def check(world: Any) -> None:
        async def act(address: str) -> str:
            return pasted

        user.does = act
        with pytest.raises(errors.AuthError, match="does not belong") as caught:
            await sign_in(world.issuer(), user, "paste")
        assert caught.value.remedy and world.server.requests == []

    in_world(check)
