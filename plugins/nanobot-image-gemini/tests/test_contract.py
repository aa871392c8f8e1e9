"""The contract of picture vendors, held by Gemini and by Imagen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from nanobot import errors
from nanobot.messages import Image
from nanobot_testing.contracts.image import PIXEL, ImageContract
from nanobot_testing.contracts.vendor import KEY
from nanobot_testing.servers.wire import Reply, json_reply

REFERENCE = Image(data=PIXEL, media_type="image/png")


class TestGemini(ImageContract):
    plugin = "images.gemini"
    model = "gemini-2.5-flash-image"

    def answers(self, picture: str) -> Sequence[Reply]:
        inline = {"inlineData": {"mimeType": "image/png", "data": picture}}
        parts = [{"text": "Here."}, inline]
        candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}
        return [json_reply({"candidates": [candidate]})]

    def refusals(self) -> Sequence[Reply]:
        return [json_reply({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}})]

    def test_a_picture_that_was_made_and_withheld(self, spec: Any, tmp_path: Path) -> None:
        reply = json_reply({"candidates": [{"finishReason": "IMAGE_SAFETY"}]})
        assert "IMAGE_SAFETY" in str(self.fails(spec, tmp_path, errors.ContentFiltered, reply))

    def test_errors_in_googles_own_words(self, spec: Any, tmp_path: Path) -> None:
        detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
        error = {"code": 400, "message": "API key not valid.", "details": [detail]}
        reply = json_reply({"error": {**error, "status": "INVALID_ARGUMENT"}}, status=400)
        self.fails(spec, tmp_path, errors.AuthError, reply)

    @pytest.mark.parametrize(
        ("model", "config"),
        [
            ("gemini-2.5-flash-image", {"aspectRatio": "21:9"}),
            ("gemini-3-pro-image", {"aspectRatio": "21:9", "imageSize": "2K"}),
            ("gemini-3.1-flash-image", {"aspectRatio": "4:1", "imageSize": "2K"}),
            ("gemini-3.1-flash-lite-image", {"aspectRatio": "4:1"}),
        ],
    )
    def test_what_is_sent(
        self, spec: Any, tmp_path: Path, model: str, config: dict[str, str]
    ) -> None:
        async def check(vendor: Any, server: Any) -> None:
            server.reply(*self.answers(self.picture))
            wanted = self.ask(model=model, aspect_ratio="4:1", size="2K", references=(REFERENCE,))
            await vendor.generate(wanted)
            request = server.requests[0]
            assert request.path == f"/models/{model}:generateContent"
            assert request.headers["x-goog-api-key"] == KEY
            assert "authorization" not in request.headers
            assert request.json["generationConfig"]["imageConfig"] == config
            picture, words = request.json["contents"][0]["parts"]
            assert picture == {"inlineData": {"mimeType": "image/png", "data": self.picture}}
            assert words == {"text": "a cat on a mat"}

        self.using(spec, tmp_path, check)

    def test_the_address_of_the_chat_dialect_is_understood(self, spec: Any, tmp_path: Path) -> None:
        async def check(vendor: Any, server: Any) -> None:
            server.reply(*self.answers(self.picture))
            await self.work(vendor)
            assert server.requests[0].path == f"/v1beta/models/{self.model}:generateContent"

        self.using(spec, tmp_path, check, path="/v1beta/openai/")


class TestImagen(ImageContract):
    plugin = "images.gemini"
    model = "imagen-4.0-generate-001"

    def answers(self, picture: str) -> Sequence[Reply]:
        made = {"mimeType": "image/png", "bytesBase64Encoded": picture}
        return [json_reply({"predictions": [made]})]

    def refusals(self) -> Sequence[Reply]:
        return [json_reply({"predictions": [{"raiFilteredReason": "Unsafe prompt"}]})]

    @pytest.mark.xfail(reason="Imagen makes new pictures only", strict=True)
    def test_references_are_sent(self, spec: Any, tmp_path: Path) -> None:
        super().test_references_are_sent(spec, tmp_path)

    def test_what_is_sent(self, spec: Any, tmp_path: Path) -> None:
        async def check(vendor: Any, server: Any) -> None:
            server.reply(*self.answers(self.picture))
            await vendor.generate(self.ask(aspect_ratio="21:9", size="4K"))
            request = server.requests[0]
            assert request.path == f"/models/{self.model}:predict"
            assert request.json == {
                "instances": [{"prompt": "a cat on a mat"}],
                "parameters": {"sampleCount": 1, "aspectRatio": "16:9"},
            }
            with pytest.raises(errors.BadRequest, match="can not change"):
                await vendor.generate(self.ask(references=(REFERENCE,)))

        self.using(spec, tmp_path, check)
