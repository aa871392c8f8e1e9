"""The contract of picture vendors, held by AiHubMix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from nanobot.messages import Image
from nanobot_testing.contracts.image import PIXEL, ImageContract
from nanobot_testing.servers.wire import Reply, json_reply


class TestAiHubMix(ImageContract):
    plugin = "images.aihubmix"
    model = "gpt-image-2-free"

    def answers(self, picture: str) -> Sequence[Reply]:
        return [json_reply({"output": {"b64_json": [{"bytesBase64": picture}]}})]

    def refusals(self) -> Sequence[Reply]:
        error = {"message": "Your request was rejected", "code": "moderation_blocked"}
        return [json_reply({"error": error}, status=400)]

    @pytest.mark.parametrize(
        "output", [["aGk="], [{"url": "aGk="}], {"b64_json": "aGk="}, {"image": ["aGk="]}, "aGk="]
    )
    def test_every_makers_output_is_read(self, spec: Any, tmp_path: Path, output: object) -> None:
        async def check(vendor: Any, server: Any) -> None:
            server.reply(json_reply({"output": output}))
            assert await vendor.generate(self.ask()) == ["aGk="]

        self.using(spec, tmp_path, check)

    @pytest.mark.parametrize(
        ("model", "path"),
        [
            ("gpt-image-1", "/models/openai/gpt-image-1/predictions"),
            (
                "google/imagen-4.0-generate-001",
                "/models/google/imagen-4.0-generate-001/predictions",
            ),
        ],
    )
    def test_what_is_sent(self, spec: Any, tmp_path: Path, model: str, path: str) -> None:
        async def check(vendor: Any, server: Any) -> None:
            server.reply(*self.answers(self.picture))
            reference = Image(data=PIXEL, media_type="image/png")
            await vendor.generate(
                self.ask(model=model, aspect_ratio="16:9", references=(reference,))
            )
            request = server.requests[0]
            assert request.path == path
            assert request.json["input"] == {
                "prompt": "a cat on a mat",
                "size": "1536x1024",
                "n": 1,
                "image": f"data:image/png;base64,{self.picture}",
            }

        self.using(spec, tmp_path, check)
