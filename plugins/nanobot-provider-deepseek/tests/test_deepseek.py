"""What DeepSeek does its own way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nanobot.messages import AssistantMessage, Image, ReasoningBlock, Text, UserMessage
from nanobot.provider import ModelRequest
from nanobot_testing import load_spec, open_spec, run
from nanobot_testing.contracts.provider import ask, collect
from nanobot_testing.servers.chat import ChatServer

PLUGIN = "providers.deepseek"
PICTURE = Image(data=b"\x89PNG", media_type="image/png", name="cat.png")


def sent(folder: Path, request: ModelRequest) -> Any:
    """Return the body that a request becomes."""

    async def go() -> Any:
        async with ChatServer() as server:
            section = {"apiKey": "any", "apiBase": server.base_url}
            async with open_spec(load_spec(PLUGIN), section, folder, plugin=PLUGIN) as provider:
                server.reply(server.text("ok"))
                await collect(provider.stream(request))
            return server.requests[0].json

    return run(go())


@pytest.mark.parametrize(
    ("effort", "fields"),
    [
        (None, {}),
        ("none", {"thinking": {"type": "disabled"}}),
        ("high", {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}),
    ],
)
def test_thinking_is_switched(tmp_path: Path, effort: str | None, fields: dict[str, Any]) -> None:
    body = sent(tmp_path, ask(model="deepseek-chat", reasoning_effort=effort))
    assert {k: body[k] for k in ("thinking", "reasoning_effort") if k in body} == fields


def test_reasoning_goes_back_and_is_never_absent(tmp_path: Path) -> None:
    block = ReasoningBlock(text="hm", dialect="chat")
    messages = (
        UserMessage(parts=(Text(text="one"),)),
        AssistantMessage(text="a", reasoning=(block,)),
        UserMessage(parts=(Text(text="two"),)),
        AssistantMessage(text="b"),
        UserMessage(parts=(Text(text="three"),)),
    )
    body = sent(tmp_path, ask(model="deepseek-chat", messages=messages))
    said = [m["reasoning_content"] for m in body["messages"] if m["role"] == "assistant"]
    assert said == ["hm", ""]


@pytest.mark.parametrize("model", ["deepseek-v4-flash", "deepseek-v4-pro"])
def test_no_tool_of_the_vendor_s_own_replaces_ours(tmp_path: Path, model: str) -> None:
    """Its models are asked over chat completions, at any address, with the user's tools alone."""
    body = sent(tmp_path, ask(model=model))
    assert [tool["function"]["name"] for tool in body["tools"]] == ["read_file"]
    assert body["model"] == model and "input" not in body


@pytest.mark.parametrize(
    ("model", "content"),
    [("deepseek-chat", str), ("deepseek-v4-flash-vision-exp", list)],
)
def test_pictures_only_go_to_models_that_see(tmp_path: Path, model: str, content: type) -> None:
    message = UserMessage(parts=(Text(text="see"), PICTURE))
    body = sent(tmp_path, ask(model=model, messages=(message,)))
    assert isinstance(body["messages"][-1]["content"], content)
