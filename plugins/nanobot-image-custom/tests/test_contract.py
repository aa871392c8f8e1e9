"""The contract of picture vendors, held by any server of the dialect."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import ConfigError
from nanobot_testing import load_spec, open_spec, run
from nanobot_testing.contracts.image import ImageContract
from nanobot_testing.servers.wire import Reply, json_reply


class TestCustom(ImageContract):
    plugin = "images.custom"
    model = "qwen-image"

    def answers(self, picture: str) -> Sequence[Reply]:
        return [json_reply({"created": 1, "data": [{"b64_json": picture}]})]

    def test_what_is_sent(self, spec: Any, tmp_path: Path) -> None:
        async def check(vendor: Any, server: Any) -> None:
            server.reply(*self.answers(self.picture))
            await vendor.generate(self.ask(aspect_ratio="16:9"))
            request = server.requests[0]
            assert request.path == "/images/generations?tenant=me"
            assert request.json == {
                "model": "qwen-image",
                "prompt": "a cat on a mat",
                "size": "1024x576",
                "n": 1,
                "steps": 20,
            }
            assert request.headers["x-team"] == "cats"

        more = {
            "extraBody": {"steps": 20, "response_format": None},
            "extraHeaders": {"X-Team": "cats"},
            "extraQuery": {"tenant": "me"},
        }
        self.using(spec, tmp_path, check, **more)

    def test_no_key_is_needed(self, spec: Any, tmp_path: Path) -> None:
        async def check(vendor: Any, server: Any) -> None:
            server.reply(*self.answers(self.picture))
            assert await self.work(vendor)
            assert "authorization" not in server.requests[0].headers

        self.using(spec, tmp_path, check, apiKey=None)


def test_the_address_is_required(tmp_path: Path) -> None:
    async def go() -> None:
        with pytest.raises(ConfigError, match=r"providers\.custom\.apiBase is not set"):
            async with open_spec(load_spec("images.custom"), {}, tmp_path):
                raise AssertionError("it opened without an address")

    run(go())
