"""The provider over real connections."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing
from pathlib import Path
from typing import Any

import pytest
import structlog
from nanobot import errors
from nanobot.config import ProviderConfig
from nanobot.messages import FinishReason
from nanobot.provider import ModelEvent, ModelFinish, ModelInfo, ModelLister, ModelText
from nanobot.specs import ProviderSpec
from nanobot_provider_compat.endpoint import IDLE_VARIABLE
from nanobot_testing import make_context, open_spec, run
from nanobot_testing.contracts.provider import KEY, answer, ask, collect
from nanobot_testing.servers.chat import DONE, ChatServer
from nanobot_testing.servers.wire import Act, Reply, json_reply, sse

Connect = Callable[..., AbstractAsyncContextManager[tuple[Any, ChatServer]]]


def test_what_is_sent(connect: Connect) -> None:
    async def check() -> None:
        config = {
            "extraHeaders": {"X-Team": "blue"},
            "extraQuery": {"api-version": "2"},
            "extraBody": {"top_p": 0.5, "model": "evil"},
        }
        async with connect(config, headers={"X-Title": "nanobot"}) as (provider, server):
            server.reply(server.text("ok"))
            await collect(provider.stream(ask()))
        (request,) = server.requests
        assert request.method == "POST" and request.path == "/v1/chat/completions?api-version=2"
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.headers["x-team"] == "blue" and request.headers["x-title"] == "nanobot"
        assert request.json["top_p"] == 0.5 and request.json["model"] == "test-model"

    run(check())


@pytest.mark.parametrize("session", ["cli:alice", "ünï\r\nX-Evil: 1"])
def test_a_header_names_the_conversation(connect: Connect, session: str) -> None:
    async def check() -> None:
        async with connect(cache_key_header="x-session") as (provider, server):
            server.reply(server.text("ok"))
            for key in (session, session, "other", "", ""):
                await collect(provider.stream(ask(cache_key=key)))
        one, same, other, anon, anon2 = (r.headers["x-session"] for r in server.requests)
        assert one == same and len({one, other, anon, anon2}) == 4
        assert all(len(name) == 32 and name.isalnum() for name in (one, other, anon))
        assert not any("x-evil" in request.headers for request in server.requests)

    run(check())


def test_ignored_settings_are_told(connect: Connect) -> None:
    async def check() -> None:
        with structlog.testing.capture_logs() as logs:
            async with connect({"extraBody": {"model": "x", "stream": False, "a": 1}}):
                pass
        assert [entry["keys"] for entry in logs] == [["model", "stream"]]

    run(check())


def test_a_missing_key_is_told_before_anything_is_sent(connect: Connect) -> None:
    async def check() -> None:
        async with connect({"apiKey": None}) as (provider, server):
            for ask_it in (lambda: collect(provider.stream(ask())), provider.list_models):
                with pytest.raises(errors.AuthError) as caught:
                    await ask_it()
                assert "providers.acme.apiKey" in str(caught.value)
                assert "ACME_API_KEY" in str(caught.value)
            assert not server.requests

    run(check())


def test_no_key_is_sent_where_none_is_needed(connect: Connect) -> None:
    async def check() -> None:
        async with connect({"apiKey": None}, needs_key=False) as (provider, server):
            server.reply(server.text("ok"))
            await collect(provider.stream(ask()))
            assert "authorization" not in server.requests[0].headers

    run(check())


def test_connections_are_used_again(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted = []
    accept = ChatServer._accept

    def count(server: ChatServer, *streams: Any) -> None:
        accepted.append(streams)
        accept(server, *streams)

    monkeypatch.setattr(ChatServer, "_accept", count)

    async def check() -> None:
        async with connect() as (provider, server):
            server.reply(server.text("ok"))
            for _ in range(5):
                await collect(provider.stream(ask()))
            assert len(server.requests) == 5 and len(accepted) == 1

    run(check())


def test_an_answer_is_given_though_the_connection_stays_open(connect: Connect) -> None:
    """After the end mark nothing is waited for, whatever the server does then."""

    async def check() -> None:
        async with connect() as (provider, server):
            whole = server.text("whole")
            for act in Act:
                server.reply(Reply(body=[*whole.body, act]))
                events = await collect(provider.stream(ask()))
                assert answer(events) == "whole" and isinstance(events[-1], ModelFinish)

    run(check())


@pytest.mark.parametrize("act", [Act.RESET, Act.CLOSE])
def test_a_break_behind_the_finish_loses_nothing(connect: Connect, act: Act) -> None:
    async def check() -> None:
        async with connect() as (provider, server):
            body = [server.chunk({"content": "whole"}), server.chunk({}, finish="stop"), act]
            server.reply(Reply(body=body))
            events = await collect(provider.stream(ask()))
            assert answer(events) == "whole"
            assert isinstance(events[-1], ModelFinish) and events[-1].usage.estimated

    run(check())


def test_silence_is_a_timeout(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(IDLE_VARIABLE, "0.05")

    async def check() -> None:
        async with connect() as (provider, server):
            for reply in (Reply(body=[Act.HANG]), server.text("part", Act.HANG)):
                server.reply(reply)
                with pytest.raises(errors.ProviderTimeout) as caught:
                    await collect(provider.stream(ask()))
                assert IDLE_VARIABLE in caught.value.remedy
                async with asyncio.timeout(5):
                    await server.requests[-1].closed.wait()

    run(check())


def test_text_comes_before_the_answer_is_over(connect: Connect) -> None:
    async def check() -> None:
        async with connect() as (provider, server):
            server.reply(server.text("now", Act.HANG))
            async with aclosing(provider.stream(ask())) as events, asyncio.timeout(5):
                assert await anext(events) == ModelText(text="now")

    run(check())


def test_fifty_streams_beside_each_other(connect: Connect) -> None:
    async def check() -> None:
        async with connect() as (provider, server):
            server.reply(server.text(*["tick "] * 20))
            results = await asyncio.gather(*(collect(provider.stream(ask())) for _ in range(50)))
            assert {answer(events) for events in results} == {"tick " * 20}

    run(check())


def test_closing_ends_open_streams(connect: Connect) -> None:
    async def check() -> None:
        seen = asyncio.Queue[ModelEvent]()

        async def read(provider: Any) -> None:
            async for event in provider.stream(ask()):
                seen.put_nowait(event)

        async with connect() as (provider, server):
            server.reply(server.text("part", Act.HANG))
            tasks = [asyncio.create_task(read(provider)) for _ in range(3)]
            async with asyncio.timeout(5):
                for _ in tasks:
                    await seen.get()
                await provider.aclose()
                results = await asyncio.gather(*tasks, return_exceptions=True)
                for request in server.requests:
                    await request.closed.wait()
            assert [type(result) for result in results] == [errors.TransportError] * 3
            with pytest.raises(errors.TransportError, match="closed"):
                await collect(provider.stream(ask()))

    run(check())


def test_cancelled_streams_leave_no_task(connect: Connect) -> None:
    async def check() -> None:
        async with connect() as (provider, server):
            server.reply(server.text("part", Act.HANG))
            before = asyncio.all_tasks()
            started = asyncio.Event()

            async def read() -> None:
                async for _ in provider.stream(ask()):
                    started.set()

            task = asyncio.create_task(read())
            async with asyncio.timeout(5):
                await started.wait()
                task.cancel()
                await asyncio.wait([task])
                await server.requests[-1].closed.wait()
            assert task.cancelled()
            serving = {t for t in asyncio.all_tasks() if "_serve" in repr(t)}
            assert asyncio.all_tasks() - serving <= before

    run(check())


def test_redirects_are_not_followed(connect: Connect) -> None:
    """A redirect would carry the key to wherever it points."""

    async def check() -> None:
        async with connect() as (provider, server), ChatServer() as thief:
            server.reply(Reply(status=307, headers={"location": thief.base_url}))
            with pytest.raises(errors.BadRequest, match="redirect"):
                await collect(provider.stream(ask()))
            assert not thief.requests

    run(check())


def test_a_proxy_is_used_and_the_environment_s_is_not(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check() -> None:
        async with ChatServer() as proxy, ChatServer() as other:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{other.port}")
            proxy.reply(proxy.text("by proxy"))
            address = f"http://127.0.0.1:{proxy.port}"
            async with connect({"proxy": address}) as (provider, server):
                events = await collect(provider.stream(ask()))
                # The proxy is asked with the whole address, which its script does not serve.
                assert proxy.requests[0].path == f"{server.base_url}/chat/completions"
                assert answer(events) == "by proxy" and not server.requests
            async with connect() as (provider, server):
                server.reply(server.text("direct"))
                assert answer(await collect(provider.stream(ask()))) == "direct"
            assert not other.requests

    run(check())


def test_an_unusable_proxy_is_named(connect: Connect) -> None:
    async def check() -> None:
        async with connect({"proxy": "gopher://x"}) as (provider, _):
            with pytest.raises(errors.TransportError) as caught:
                await collect(provider.stream(ask()))
            assert "providers.acme.proxy" in caught.value.remedy

    run(check())


def test_a_server_without_tls_is_a_transport_error(connect: Connect) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async def check() -> None:
        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as plain:
            base = f"https://127.0.0.1:{plain.sockets[0].getsockname()[1]}/v1"
            async with connect({"apiBase": base}) as (provider, _):
                with pytest.raises(errors.TransportError) as caught:
                    await collect(provider.stream(ask()))
            assert "apiBase" in caught.value.remedy

    run(check())


def test_models_are_listed(connect: Connect) -> None:
    async def check() -> None:
        async with connect() as (provider, server):
            assert isinstance(provider, ModelLister)
            assert await provider.list_models() == [ModelInfo(id="test-model")]
            assert server.requests[-1].path == "/v1/models"
            assert server.requests[-1].headers["authorization"] == f"Bearer {KEY}"

    run(check())


@pytest.mark.parametrize(
    ("body", "models"),
    [
        ({"data": [{"id": "a", "context_length": 9}]}, [("a", 9)]),
        ({"data": [{"id": "a", "max_model_len": 9}, {"id": 3}, "b"]}, [("a", 9), ("b", 0)]),
        ({"models": [{"name": "a", "context_window": "x"}]}, [("a", 0)]),
        ([{"id": "a"}], [("a", 0)]),
        ({"data": []}, []),
    ],
)
def test_lists_of_models_differ(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, body: object, models: list[tuple[str, int]]
) -> None:
    monkeypatch.setattr(ChatServer, "answer", lambda self, request: json_reply(body))

    async def check() -> None:
        async with connect() as (provider, _):
            listed = [(info.id, info.context_window) for info in await provider.list_models()]
            assert listed == models

    run(check())


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (json_reply({"error": {"message": "no"}}, status=401), errors.AuthError),
        (json_reply("models"), errors.MalformedAnswer),
        (Reply(body=[b"<html>"], chunked=False), errors.MalformedAnswer),
        (Reply(body=[b"{", Act.CLOSE]), errors.TransportError),
    ],
)
def test_a_list_of_models_can_fail(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, reply: Reply, expected: type
) -> None:
    monkeypatch.setattr(ChatServer, "answer", lambda self, request: reply)

    async def check() -> None:
        async with connect() as (provider, _):
            with pytest.raises(expected):
                await provider.list_models()

    run(check())


def test_a_huge_refusal_is_not_read_whole(connect: Connect) -> None:
    async def check() -> None:
        async with connect() as (provider, server):
            server.reply(Reply(status=500, body=[b"x" * 65_536] * 3 + [Act.HANG]))
            with pytest.raises(errors.OverloadError) as caught:
                await collect(provider.stream(ask()))
            assert len(str(caught.value)) < 600

    run(check())


@pytest.mark.parametrize("act", [Act.RESET, Act.CLOSE])
def test_a_refusal_without_its_body_is_still_one(connect: Connect, act: Act) -> None:
    async def check() -> None:
        async with connect() as (provider, server):
            server.reply(Reply(status=401, body=[b'{"error": ', act]))
            with pytest.raises(errors.AuthError):
                await collect(provider.stream(ask()))

    run(check())


def test_the_key_shows_nowhere(
    connect: Connect, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    echo = {"error": {"message": f"bad key {KEY} in 'Authorization: Bearer {KEY}'"}}

    async def check() -> list[str]:
        shown = []
        async with connect() as (provider, server):
            shown += [repr(provider), str(vars(provider)), repr(provider._endpoint)]
            for reply in (json_reply(echo, status=401), json_reply(echo), Reply(body=[sse(echo)])):
                server.reply(reply)
                with pytest.raises(errors.ProviderError) as caught:
                    await collect(provider.stream(ask()))
                shown += [str(caught.value), repr(caught.value), caught.value.message]
        return shown

    with caplog.at_level(logging.DEBUG):
        shown = run(check())
    output = capsys.readouterr()
    assert KEY not in "".join(shown) + caplog.text + output.out + output.err


def test_the_name_of_a_section_is_written_as_in_the_configuration(tmp_path: Path) -> None:
    async def check() -> None:
        spec = ProviderSpec(
            name="azure_ish",
            factory="nanobot_provider_compat.provider:open_provider",
            options={"base_url": "http://127.0.0.1:9/v1"},
        )
        async with open_spec(spec, {}, tmp_path, plugin="providers.azure_ish") as provider:
            with pytest.raises(errors.AuthError) as caught:
                await collect(provider.stream(ask()))
        assert "providers.azureIsh.apiKey" in caught.value.remedy
        assert caught.value.provider == "azure_ish"

    run(check())


def test_wrong_options_are_refused_at_open(tmp_path: Path) -> None:
    spec = ProviderSpec(
        name="acme",
        factory="nanobot_provider_compat.provider:open_provider",
        options={"base": "x"},
    )

    async def check() -> None:
        with pytest.raises(errors.PluginError, match="base"):
            async with open_spec(spec, {}, tmp_path, plugin="providers.acme"):
                pass

    run(check())
    assert make_context(spec, tmp_path).options == {"base": "x"}
    assert ProviderConfig().api_key is None


def test_a_length_finish_keeps_the_text(connect: Connect) -> None:
    async def check() -> None:
        async with connect() as (provider, server):
            server.reply(server.text("cut of", finish="length"))
            events = await collect(provider.stream(ask()))
            assert answer(events) == "cut of"
            assert isinstance(events[-1], ModelFinish)
            assert events[-1].reason is FinishReason.LENGTH

    run(check())


def test_a_server_that_ignores_the_stream_is_understood(connect: Connect) -> None:
    async def check() -> None:
        message = {"role": "assistant", "content": "whole"}
        whole = {"choices": [{"message": message, "finish_reason": "stop"}]}
        async with connect() as (provider, server):
            server.reply(json_reply(whole))
            assert answer(await collect(provider.stream(ask()))) == "whole"

    run(check())


def test_a_free_port_has_no_server(connect: Connect) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{free.getsockname()[1]}/v1"

        async def check() -> None:
            async with connect({"apiBase": base}) as (provider, _):
                with pytest.raises(errors.TransportError) as caught:
                    await collect(provider.stream(ask()))
                assert "Is the server running?" in caught.value.remedy and base in str(caught.value)

        run(check())


def test_the_requests_of_the_dialect_pass_the_strict_server(connect: Connect) -> None:
    """The scripted server refuses what vendors refuse; make sure that it really does."""

    async def check() -> None:
        async with connect({"extraBody": {"tools": [{"type": "function"}]}}) as (provider, server):
            server.reply(Reply(body=[DONE]))
            with pytest.raises(errors.BadRequest, match="invalid tool"):
                await collect(provider.stream(ask()))
            assert json.loads(server.requests[0].body)["tools"][-1] == {"type": "function"}

    run(check())
