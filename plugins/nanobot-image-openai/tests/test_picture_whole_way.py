"""A picture from an instance's configuration to its workspace, through the real host."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from nanobot.admin import assemble, load
from nanobot.messages import File
from nanobot.tool import ToolRequest
from nanobot_testing import make_turn, run
from nanobot_testing.contracts.image import PIXEL
from nanobot_testing.servers.wire import ScriptedServer, json_reply

ENVIRON = {
    "NANOBOT_PLUGINS": "tools.images,images.openai,kinds.images",
    "OPENAI_API_KEY": "sk-from-the-environment",
}


def test_the_key_and_address_of_the_provider_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = tmp_path / "work"
    workspace.mkdir()

    async def go() -> tuple[Any, Any]:
        async with ScriptedServer() as server:
            encoded = base64.b64encode(PIXEL).decode()
            server.reply(json_reply({"data": [{"b64_json": encoded}]}))
            config = {
                "agents": {"defaults": {"workspace": str(workspace)}},
                "providers": {"openai": {"apiBase": server.base_url, "apiType": "responses"}},
                "tools": {"imageGeneration": {"enabled": True, "provider": "openai"}},
            }
            path = tmp_path / "config.json"
            path.write_text(json.dumps(config))
            path.chmod(0o600)
            loaded = load(path, environ=ENVIRON)
            parts = assemble(loaded, loaded.instance(), ENVIRON)
            try:
                tool = await parts.registry.open("tools", "images")
                call = ToolRequest(name="generate_image", arguments={"prompt": "a cat"})
                return await tool.call(call, make_turn(workspace)), server.requests[0]
            finally:
                await parts.registry.aclose()

    monkeypatch.setenv("OPENAI_API_KEY", ENVIRON["OPENAI_API_KEY"])
    result, request = run(go())
    (file,) = [part for part in result.parts if isinstance(part, File)]
    assert Path(file.path).read_bytes() == PIXEL and Path(file.path).is_relative_to(workspace)
    assert request.headers["authorization"] == "Bearer sk-from-the-environment"
