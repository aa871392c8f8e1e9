"""An endpoint that is nothing but its configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import ConfigError, TransportError
from nanobot_testing import load_spec, open_spec, run
from nanobot_testing.contracts.provider import KEY, answer, ask, collect
from nanobot_testing.servers.chat import ChatServer
from pydantic import ValidationError

PLUGIN = "providers.custom"


def sent(folder: Path, plugin: str = PLUGIN, model: str = "m", **section: Any) -> Any:
    """Return the request that an endpoint gets."""

    async def go() -> Any:
        async with ChatServer() as server:
            whole = {"apiBase": server.base_url, **section}
            async with open_spec(load_spec(PLUGIN), whole, folder, plugin=plugin) as provider:
                server.reply(server.text("ok"))
                events = await collect(provider.stream(ask(model=model, reasoning_effort="high")))
                assert answer(events) == "ok"
            return server.requests[0]

    return run(go())


@pytest.mark.parametrize("plugin", [PLUGIN, "providers.my-llm"])
def test_an_address_is_required_and_the_section_named(tmp_path: Path, plugin: str) -> None:
    async def go() -> None:
        async with open_spec(load_spec(PLUGIN), {}, tmp_path, plugin=plugin):
            pass

    with pytest.raises(ConfigError, match=f"{plugin}.apiBase") as caught:
        run(go())
    assert f"{plugin}.apiBase" in caught.value.remedy


def test_a_model_is_sent_as_it_is(tmp_path: Path) -> None:
    assert sent(tmp_path, model="org/Model-1:free").json["model"] == "org/Model-1:free"


def test_a_key_is_sent_if_there_is_one(tmp_path: Path) -> None:
    assert "authorization" not in sent(tmp_path).headers
    assert sent(tmp_path, apiKey=KEY).headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("style", "fields"),
    [
        (None, {}),
        ("thinking_type", {"thinking": {"type": "enabled"}}),
        ("enable_thinking", {"enable_thinking": True}),
        ("chat_template", {"chat_template_kwargs": {"enable_thinking": True}}),
        ("reasoning_split", {"reasoning_split": True}),
    ],
)
def test_the_thinking_style_is_configured(
    tmp_path: Path, style: str | None, fields: dict[str, Any]
) -> None:
    body = sent(tmp_path, thinkingStyle=style).json
    names = ("thinking", "enable_thinking", "chat_template_kwargs", "reasoning_split")
    assert {name: body[name] for name in names if name in body} == fields


def test_an_unknown_thinking_style_is_refused() -> None:
    with pytest.raises(ValidationError, match="thinkingStyle"):
        load_spec(PLUGIN).config.model_validate({"thinkingStyle": "loud"})


def test_it_adopts_sections_under_any_name(tmp_path: Path) -> None:
    spec = load_spec(PLUGIN)
    assert spec.adopts and not spec.needs_key
    assert sent(tmp_path, plugin="providers.my-llm").path == "/v1/chat/completions"

    async def go() -> None:
        section = {"apiBase": "http://127.0.0.1:9/v1"}
        async with open_spec(spec, section, tmp_path, plugin="providers.my-llm") as provider:
            with pytest.raises(TransportError, match="my-llm") as caught:
                await collect(provider.stream(ask()))
            assert caught.value.provider == "my-llm"

    run(go())
