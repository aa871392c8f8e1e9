"""The contract of picture vendors, held by OpenRouter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nanobot import errors
from nanobot.messages import Image
from nanobot_testing.contracts.image import PIXEL, ImageContract
from nanobot_testing.servers.wire import Reply, json_reply


def choice(finish: str = "stop", **message: Any) -> Reply:
    """Return an answer as OpenRouter sends it."""
    message = {"role": "assistant", **message}
    return json_reply({"id": "gen-1", "choices": [{"finish_reason": finish, "message": message}]})


class TestOpenRouter(ImageContract):
    plugin = "images.openrouter"
    model = "openai/gpt-5.4-image-2"

    def answers(self, picture: str) -> Sequence[Reply]:
        url = {"url": f"data:image/png;base64,{picture}"}
        return [choice(content="Here.", images=[{"type": "image_url", "image_url": url}])]

    def refusals(self) -> Sequence[Reply]:
        return [choice(finish="content_filter", content="I can not draw that.")]

    def test_what_is_sent(self, spec: Any, tmp_path: Path) -> None:
        async def check(vendor: Any, server: Any) -> None:
            server.reply(*self.answers(self.picture))
            reference = Image(data=PIXEL, media_type="image/png")
            await vendor.generate(self.ask(aspect_ratio="16:9", size="2K", references=(reference,)))
            request = server.requests[0]
            assert request.path == "/chat/completions"
            body = request.json
            assert body["modalities"] == ["image", "text"]
            assert body["image_config"] == {"aspect_ratio": "16:9", "image_size": "2K"}
            picture, words = body["messages"][0]["content"]
            assert picture["image_url"]["url"] == f"data:image/png;base64,{self.picture}"
            assert words == {"type": "text", "text": "a cat on a mat"}

        self.using(spec, tmp_path, check)

    def test_words_in_place_of_a_picture_are_told(self, spec: Any, tmp_path: Path) -> None:
        reply = choice(content="Which cat do you mean?")
        error = self.fails(spec, tmp_path, errors.MalformedAnswer, reply)
        assert "Which cat do you mean?" in str(error)
