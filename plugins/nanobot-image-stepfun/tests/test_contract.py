"""The contract of picture vendors, held by StepFun."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from nanobot.messages import Image
from nanobot_testing.contracts.image import PIXEL, ImageContract
from nanobot_testing.servers.wire import Reply, json_reply

REFERENCE = Image(data=PIXEL, media_type="image/png")


class TestStepFun(ImageContract):
    plugin = "images.stepfun"
    model = "step-image-edit-2"

    def answers(self, picture: str) -> Sequence[Reply]:
        made = {"seed": 1, "finish_reason": "success", "b64_json": picture}
        return [json_reply({"created": 1, "data": [made]})]

    def refusals(self) -> Sequence[Reply]:
        made = {"seed": 1, "finish_reason": "content_filtered", "b64_json": ""}
        return [json_reply({"created": 1, "data": [made]})]

    @pytest.mark.parametrize(
        ("model", "ratio", "pixels"),
        [
            ("step-image-edit-2", "16:9", "768x1360"),
            ("step-image-edit-2", "3:4", "1184x896"),
            ("step-1x-medium", "16:9", "1280x800"),
            ("step-1x-medium", "2:3", "800x1280"),
        ],
    )
    def test_what_is_sent(
        self, spec: Any, tmp_path: Path, model: str, ratio: str, pixels: str
    ) -> None:
        async def check(vendor: Any, server: Any) -> None:
            server.reply(*self.answers(self.picture))
            await vendor.generate(self.ask(model=model, aspect_ratio=ratio))
            request = server.requests[0]
            assert request.path == "/images/generations"
            assert request.json["size"] == pixels
            assert request.json["response_format"] == "b64_json"

        self.using(spec, tmp_path, check)

    def test_a_picture_is_changed_or_its_style_followed(self, spec: Any, tmp_path: Path) -> None:
        async def check(vendor: Any, server: Any) -> None:
            server.reply(*self.answers(self.picture))
            await vendor.generate(self.ask(references=(REFERENCE,)))
            await vendor.generate(self.ask(model="step-1x-medium", references=(REFERENCE,)))
            edit, style = server.requests
            assert edit.path == "/images/edits" and PIXEL in edit.body
            assert style.path == "/images/generations"
            source = f"data:image/png;base64,{self.picture}"
            assert style.json["style_reference"] == {"source_url": source}

        self.using(spec, tmp_path, check)
