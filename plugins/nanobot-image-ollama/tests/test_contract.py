"""The contract of picture vendors, held by Ollama."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from nanobot import errors
from nanobot_testing.contracts.image import ImageContract
from nanobot_testing.servers.wire import Reply, json_reply


class TestOllama(ImageContract):
    plugin = "images.ollama"
    model = "x/z-image-turbo"

    def answers(self, picture: str) -> Sequence[Reply]:
        return [json_reply({"model": self.model, "image": picture, "done": True})]

    @pytest.mark.parametrize(
        ("ratio", "size", "sides"),
        [
            ("1:1", "1K", (1024, 1024)),
            ("16:9", "2K", (2048, 1152)),
            ("3:4", "1K", (768, 1024)),
            ("1:1", "640x400", (640, 400)),
        ],
    )
    def test_what_is_sent(
        self, spec: Any, tmp_path: Path, ratio: str, size: str, sides: tuple[int, int]
    ) -> None:
        async def check(vendor: Any, server: Any) -> None:
            server.reply(*self.answers(self.picture))
            await vendor.generate(self.ask(aspect_ratio=ratio, size=size))
            request = server.requests[0]
            assert request.path == "/api/generate"
            assert (request.json["width"], request.json["height"]) == sides
            assert request.json["stream"] is False

        self.using(spec, tmp_path, check)

    def test_a_model_that_only_speaks(self, spec: Any, tmp_path: Path) -> None:
        reply = json_reply({"model": "llama3", "response": "A cat.", "done": True})
        error = self.fails(spec, tmp_path, errors.MalformedAnswer, reply)
        assert "does the model make pictures?" in str(error)

    def test_a_model_that_is_not_there(self, spec: Any, tmp_path: Path) -> None:
        reply = json_reply({"error": "model 'x/z-image-turbo' not found"}, status=404)
        error = self.fails(spec, tmp_path, errors.BadRequest, reply)
        assert "does not know the model" in str(error)
