"""What Ollama does its own way."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from nanobot import errors
from nanobot.provider import ModelInfo
from nanobot_testing import load_spec, open_spec, run
from nanobot_testing.contracts.provider import answer, ask, collect
from nanobot_testing.servers.chat import ChatServer

PLUGIN = "providers.ollama"


@pytest.mark.parametrize("path", ["/v1", "/v1/", "", "/"])
def test_it_needs_no_key_and_finds_its_path(
    tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def go() -> None:
        async with ChatServer(models=("a", "b")) as server:
            section = {"apiKey": None, "apiBase": f"http://127.0.0.1:{server.port}{path}"}
            async with open_spec(load_spec(PLUGIN), section, tmp_path, plugin=PLUGIN) as provider:
                server.reply(server.text("ok"))
                assert answer(await collect(provider.stream(ask()))) == "ok"
                assert server.requests[0].path == "/v1/chat/completions"
                assert "authorization" not in server.requests[0].headers
                assert await provider.list_models() == [ModelInfo(id="a"), ModelInfo(id="b")]

    run(go())


def test_a_server_that_is_not_running_is_named(tmp_path: Path) -> None:
    async def go() -> None:
        section = {"apiBase": "http://127.0.0.1:9/v1"}
        async with open_spec(load_spec(PLUGIN), section, tmp_path, plugin=PLUGIN) as provider:
            with pytest.raises(errors.TransportError) as caught:
                await collect(provider.stream(ask()))
            assert "Is the server running?" in caught.value.remedy
            assert "providers.ollama.apiBase" in caught.value.remedy

    run(go())


def test_the_probed_address_is_the_one_that_is_used() -> None:
    spec = load_spec(PLUGIN)
    assert spec.probe_url == spec.options["base_url"]
    assert urlsplit(spec.probe_url).port == 11434
    assert not spec.needs_key and not spec.options["needs_key"]
    assert spec.env_keys == spec.options["env_keys"]


@pytest.mark.parametrize(
    ("effort", "word"),
    [("none", "none"), ("minimal", "low"), ("medium", "medium"), ("max", "high"), (None, None)],
)
def test_efforts_are_said_in_its_words(
    tmp_path: Path, effort: str | None, word: str | None
) -> None:
    async def go() -> Any:
        async with ChatServer() as server:
            section = {"apiBase": server.base_url}
            async with open_spec(load_spec(PLUGIN), section, tmp_path, plugin=PLUGIN) as provider:
                server.reply(server.text("ok"))
                await collect(provider.stream(ask(reasoning_effort=effort)))
            return server.requests[0].json

    assert run(go()).get("reasoning_effort") == word
