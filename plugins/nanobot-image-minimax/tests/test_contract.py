"""The contract of picture vendors, held by MiniMax."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from nanobot import errors
from nanobot.messages import Image
from nanobot_testing.contracts.image import PIXEL, ImageContract
from nanobot_testing.servers.wire import Reply, json_reply


def refused(code: int, message: str) -> Reply:
    """Return a refusal, which MiniMax sends with HTTP status 200."""
    return json_reply({"base_resp": {"status_code": code, "status_msg": message}})


class TestMiniMax(ImageContract):
    plugin = "images.minimax"
    model = "image-01"

    def answers(self, picture: str) -> Sequence[Reply]:
        data = {"image_base64": [picture]}
        base = {"status_code": 0, "status_msg": "success"}
        return [json_reply({"id": "1", "data": data, "base_resp": base})]

    def refusals(self) -> Sequence[Reply]:
        return [refused(1026, "prompt sensitive")]

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            (1002, errors.RateLimitError),
            (1004, errors.AuthError),
            (1008, errors.QuotaError),
            (2013, errors.BadRequest),
        ],
    )
    def test_refusals_in_good_answers(
        self, spec: Any, tmp_path: Path, code: int, expected: type[Exception]
    ) -> None:
        error = self.fails(spec, tmp_path, expected, refused(code, "for a reason"))
        assert "for a reason" in str(error)

    def test_what_is_sent(self, spec: Any, tmp_path: Path) -> None:
        async def check(vendor: Any, server: Any) -> None:
            server.reply(*self.answers(self.picture))
            reference = Image(data=PIXEL, media_type="image/png")
            await vendor.generate(self.ask(aspect_ratio="5:3", references=(reference,)))
            await vendor.generate(self.ask(size="1024x1536"))
            first, second = (request.json for request in server.requests)
            assert server.requests[0].path == "/image_generation"
            assert first["aspect_ratio"] == "16:9"
            assert first["subject_reference"] == [
                {"type": "character", "image_file": f"data:image/png;base64,{self.picture}"}
            ]
            assert (second["width"], second["height"]) == (1024, 1536)

        self.using(spec, tmp_path, check)
