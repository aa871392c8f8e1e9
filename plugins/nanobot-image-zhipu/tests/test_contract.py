"""The contract of picture vendors, held by Zhipu AI."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from nanobot import errors
from nanobot_testing.contracts.image import ImageContract
from nanobot_testing.servers.wire import Reply, json_reply


class TestZhipu(ImageContract):
    plugin = "images.zhipu"
    model = "glm-image"
    links = True

    def answers(self, picture: str) -> Sequence[Reply]:
        return [json_reply({"created": 1, "data": [{"url": picture}]})]

    def refusals(self) -> Sequence[Reply]:
        error = {"code": "1301", "message": "系统检测到输入或生成内容可能包含不安全或敏感内容"}
        return [json_reply({"error": error}, status=400)]

    @pytest.mark.parametrize(
        ("code", "expected"), [("1113", errors.QuotaError), ("1302", errors.RateLimitError)]
    )
    def test_codes(self, spec: Any, tmp_path: Path, code: str, expected: type[Exception]) -> None:
        error = {"code": code, "message": "no"}
        self.fails(spec, tmp_path, expected, json_reply({"error": error}, status=429))

    def test_what_is_sent(self, spec: Any, tmp_path: Path) -> None:
        async def check(vendor: Any, server: Any) -> None:
            server.reply(*self.answers(self.picture))
            await vendor.generate(self.ask(aspect_ratio="16:9"))
            request = server.requests[0]
            assert request.path == "/images/generations"
            assert request.json == {
                "model": "glm-image",
                "prompt": "a cat on a mat",
                "size": "1728x960",
            }

        self.using(spec, tmp_path, check)
