"""The contract of picture vendors, held by OpenAI."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from nanobot import errors
from nanobot.messages import Image
from nanobot_testing.contracts.image import PIXEL, ImageContract
from nanobot_testing.servers.wire import Reply, json_reply

REFERENCE = Image(data=PIXEL, media_type="image/png")


class TestOpenAI(ImageContract):
    plugin = "images.openai"
    model = "gpt-image-2"

    def answers(self, picture: str) -> Sequence[Reply]:
        return [json_reply({"created": 1, "data": [{"b64_json": picture}]})]

    def refusals(self) -> Sequence[Reply]:
        error = {"message": "Rejected by the safety system.", "code": "moderation_blocked"}
        return [json_reply({"error": {**error, "type": "user_error"}}, status=400)]

    @pytest.mark.parametrize(
        ("model", "ratio", "size", "pixels"),
        [
            ("gpt-image-2", "16:9", "1K", "1536x1024"),
            ("gpt-image-2", "16:9", "2048x1152", "2048x1152"),
            ("gpt-image-1", "3:4", "4K", "1024x1536"),
            ("dall-e-3", "16:9", "1K", "1792x1024"),
            ("dall-e-2", "16:9", "1K", "1024x1024"),
            ("dall-e-2", "1:1", "256x256", "256x256"),
        ],
    )
    def test_what_is_sent(
        self, spec: Any, tmp_path: Path, model: str, ratio: str, size: str, pixels: str
    ) -> None:
        async def check(vendor: Any, server: Any) -> None:
            server.reply(*self.answers(self.picture))
            await vendor.generate(self.ask(model=model, aspect_ratio=ratio, size=size))
            body = server.requests[0].json
            assert server.requests[0].path == "/images/generations"
            assert (body["model"], body["size"]) == (model, pixels)
            assert ("response_format" in body) == model.startswith("dall-e")

        self.using(spec, tmp_path, check)

    def test_an_edit_is_a_form(self, spec: Any, tmp_path: Path) -> None:
        async def check(vendor: Any, server: Any) -> None:
            server.reply(*self.answers(self.picture))
            await vendor.generate(self.ask(references=(REFERENCE,)))
            request = server.requests[0]
            assert request.path == "/images/edits"
            assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
            assert b'name="image[]"; filename="picture0.png"' in request.body
            with pytest.raises(errors.BadRequest, match="can not change"):
                await vendor.generate(self.ask(model="dall-e-3", references=(REFERENCE,)))

        self.using(spec, tmp_path, check)
