"""Requests to a vendor, against a scripted server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nanobot import errors
from nanobot.log import redact
from nanobot.specs import Spec
from nanobot_testing import make_context, run
from nanobot_testing.servers.wire import Act, Reply, ScriptedServer, json_reply
from nanobot_vendor_http.api import Api, at, items, merged, open_api, texts
from nanobot_vendor_http.config import Credentials
from nanobot_vendor_http.service import Service

KEY = "key-CANARY-42"
SERVICE = Service(base_url="https://api.example.com/v1", max_bytes=1000)

Work = Callable[[Api, ScriptedServer], Awaitable[Any]]


@pytest.fixture
def using(tmp_path: Path) -> Any:
    """Return a function that runs some work on an opened API and the server that it asks."""

    def go(work: Work, service: Service = SERVICE, **config: Any) -> Any:
        async def inside() -> Any:
            spec = Spec(name="acme_cloud", factory="a:b")
            context = make_context(spec, tmp_path, plugin="pictures.acme_cloud")
            async with ScriptedServer() as server:
                section = {"apiKey": KEY, "apiBase": server.base_url, **config}
                async with open_api(Credentials.model_validate(section), context, service) as api:
                    return await work(api, server)

        return run(inside())

    return go


def test_json_goes_out_and_comes_back(using: Any) -> None:
    async def work(api: Api, server: ScriptedServer) -> None:
        server.reply(json_reply({"ok": [1]}))
        assert await api.post("/draw", {"a": {"b": 1}}, headers={"x-mode": "fast"}) == {"ok": [1]}
        request = server.requests[0]
        assert (request.method, request.path) == ("POST", "/draw?tenant=me")
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.headers["x-mode"] == "fast"
        assert request.json == {"a": {"b": 1, "c": 2}}

    using(work, extraBody={"a": {"c": 2}}, extraQuery={"tenant": "me"})


def test_a_form_carries_files_and_fields(using: Any) -> None:
    async def work(api: Api, server: ScriptedServer) -> None:
        server.reply(json_reply({}))
        file = ("file", ("a.wav", b"\x00\xff", "audio/wav"))
        assert await api.post_form("/hear", {"model": "m"}, [file]) == {}
        request = server.requests[0]
        assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
        assert b'filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n\x00\xff' in request.body
        assert b'name="fast"\r\n\r\ntrue' in request.body

    using(work, extraBody={"fast": True})


def test_a_key_may_have_a_header_of_its_own(using: Any) -> None:
    async def work(api: Api, server: ScriptedServer) -> None:
        server.reply(json_reply({}))
        await api.get("/x")
        headers = server.requests[0].headers
        assert headers["x-goog-api-key"] == KEY and "authorization" not in headers

    using(work, replace(SERVICE, key_header="x-goog-api-key"))


def test_without_a_key_nothing_is_asked(using: Any) -> None:
    async def work(api: Api, server: ScriptedServer) -> None:
        with pytest.raises(errors.AuthError) as caught:
            await api.get("/x")
        assert "providers.acmeCloud.apiKey" in caught.value.remedy
        assert "ACME_KEY" in caught.value.remedy
        assert not server.requests

    using(work, replace(SERVICE, env_keys=("ACME_KEY",)), apiKey=None)


def test_the_environment_completes_a_section() -> None:
    service = Service(env_keys=("ACME_KEY", "OLD_KEY"), env_bases=("ACME_URL",), cut=("/openai",))
    environ = {"OLD_KEY": "from-the-environment", "ACME_URL": "https://eu.example.com/"}
    found = service.complete(Credentials(), environ)
    assert found.api_key and found.api_key.reveal() == "from-the-environment"
    assert found.api_base == "https://eu.example.com"
    assert "from-the-environment" not in redact("it is from-the-environment") + repr(found)
    given = Credentials.model_validate({"apiKey": KEY, "apiBase": "https://x.example/v1/openai/"})
    kept = service.complete(given, environ)
    assert kept.api_key and kept.api_key.reveal() == KEY
    assert kept.api_base == "https://x.example/v1"


def test_a_redirect_is_not_followed_with_the_key(using: Any) -> None:
    async def work(api: Api, server: ScriptedServer) -> None:
        server.reply(Reply(status=307, headers={"location": f"{server.base_url}/y"}, chunked=False))
        with pytest.raises(errors.BadRequest, match="redirected"):
            await api.post("/x", {})
        assert len(server.requests) == 1

    using(work)


def test_an_answer_has_a_greatest_length(using: Any) -> None:
    async def work(api: Api, server: ScriptedServer) -> None:
        server.reply(Reply(body=[b"x" * 1000]), Reply(body=[b"x" * 1000, b"x"]))
        assert len(await api.send("GET", "/x")) == 1000
        with pytest.raises(errors.MalformedAnswer, match="longer than"):
            await api.send("GET", "/x")

    using(work)


def test_a_long_refusal_is_still_a_refusal(using: Any) -> None:
    async def work(api: Api, server: ScriptedServer) -> None:
        server.reply(Reply(status=401, body=[b"x" * 100_000]))
        with pytest.raises(errors.AuthError):
            await api.send("GET", "/x")

    using(work)


def test_a_silent_vendor_is_given_up(using: Any) -> None:
    async def work(api: Api, server: ScriptedServer) -> None:
        server.reply(Reply(body=[b"{", Act.HANG]))
        with pytest.raises(errors.ProviderTimeout, match=r"within 0\.5 s"):
            await api.get("/x")
        async with asyncio.timeout(5):
            await server.requests[0].closed.wait()

    using(work, replace(SERVICE, deadline_s=0.5))


@pytest.mark.parametrize("act", [Act.RESET, Act.CLOSE])
def test_a_broken_answer_is_a_transport_error(using: Any, act: Act) -> None:
    async def work(api: Api, server: ScriptedServer) -> None:
        server.reply(Reply(body=[b"{", act]))
        with pytest.raises(errors.TransportError):
            await api.get("/x")

    using(work)


def test_an_error_in_a_good_answer_is_an_error(using: Any) -> None:
    async def work(api: Api, server: ScriptedServer) -> None:
        server.reply(json_reply({"error": {"message": "Invalid API key", "code": 401}}))
        with pytest.raises(errors.AuthError):
            await api.get("/x")

    using(work)


def test_deep_json_is_no_crash(using: Any) -> None:
    async def work(api: Api, server: ScriptedServer) -> None:
        server.reply(Reply(body=[b"[" * 200_000]))
        with pytest.raises(errors.MalformedAnswer):
            await api.get("/x")

    using(work, replace(SERVICE, max_bytes=10**6))


def test_a_vendors_words_are_shown_short_and_plain(using: Any) -> None:
    async def work(api: Api, server: ScriptedServer) -> None:
        said = f"why\n\n{KEY} " + "long " * 200
        for error in (api.malformed(said), api.filtered(said)):
            assert KEY not in str(error) and len(error.message) < 500
            assert "\n" not in error.message

    using(work)


@pytest.mark.parametrize(
    "section",
    [{"proxy": "gopher://x"}, {"apiBase": "ftp://x"}, {"extraHeaders": {"X": "a\nb"}}],
)
def test_a_section_that_can_not_be_used(using: Any, section: dict[str, Any]) -> None:
    async def work(api: Api, server: ScriptedServer) -> None:
        raise AssertionError("it opened")

    with pytest.raises(errors.ConfigError, match=r"providers\.acmeCloud"):
        using(work, **section)


def test_keys_of_the_provider_are_passed_over() -> None:
    assert Credentials.model_validate({"apiType": "responses", "apiKey": KEY}).enabled
    with pytest.raises(ValueError):
        Credentials.model_validate({"apiKey": 5})


def test_json_is_read_with_care() -> None:
    data = {"a": [{"b": ["x", "", 3, "y"]}, "c"]}
    assert at(data, "a", 0, "b", 3) == "y"
    for path in (("a", 9), ("b",), ("a", "b"), (0,), ("a", 1, "z")):
        assert at(data, *path) is None
    assert texts(data, "a", 0, "b") == ["x", "y"] and texts(data, "a", 5) == []
    assert items(data, "a") == [data["a"][0]] and items(data) == []


def test_bodies_merge_deeply() -> None:
    body = {"a": {"b": 1, "c": 2}, "d": 3, "e": 4}
    patch = {"a": {"c": None, "f": 5}, "d": {"g": 6}, "e": None}
    assert merged(body, patch) == {"a": {"b": 1, "f": 5}, "d": {"g": 6}}
    assert body["a"] == {"b": 1, "c": 2}
