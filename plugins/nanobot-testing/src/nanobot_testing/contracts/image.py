"""The contract of picture vendors, run against a scripted server of their dialect."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import pytest
from nanobot.messages import Image
from nanobot.specs import Spec

from nanobot_testing.contracts.vendor import VendorContract, VendorServer, carries_the_key, sent
from nanobot_testing.servers.wire import Reply

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""A picture of one pixel, PNG."""

LINK = "https://pictures.example/made.png"


class ImageContract(VendorContract):
    """Promises of a vendor of pictures.

    Attributes:
        model: A model id that the vendor takes.
        links: The vendor sends links, not base64.
    """

    model: ClassVar[str] = "test-model"
    links: ClassVar[bool] = False

    def answers(self, picture: str) -> Sequence[Reply]:
        """Return what the vendor's server sends, request by request, for one picture.

        Args:
            picture: The picture as it is to appear: base64, or a link if `links` is set.
        """
        pytest.fail("give the contract its answers")

    @property
    def picture(self) -> str:
        """Return the picture that a good answer holds."""
        return LINK if self.links else base64.b64encode(PIXEL).decode()

    def ask(self, **changes: Any) -> Any:
        """Return a request for a picture."""
        fields = {"prompt": "a cat on a mat", "model": self.model, **changes}
        return import_module("nanobot_tool_images.vendor").PictureRequest(**fields)

    async def work(self, vendor: Any) -> Any:
        """Ask for a picture."""
        return await vendor.generate(self.ask())

    def test_a_picture_comes_back_as_it_was_sent(self, spec: Spec, tmp_path: Path) -> None:
        async def check(vendor: Any, server: VendorServer) -> None:
            server.reply(*self.answers(self.picture))
            (found, *_) = await self.work(vendor)
            assert found.rpartition(",")[2] == self.picture
            assert sent(server.requests[0]).count("a cat on a mat") == 1
            assert all(carries_the_key(request) for request in server.requests)

        self.using(spec, tmp_path, check)

    def test_every_ratio_and_size_can_be_asked_for(self, spec: Spec, tmp_path: Path) -> None:
        async def check(vendor: Any, server: VendorServer) -> None:
            for aspect_ratio in ("1:1", "16:9", "9:16", "3:4", "4:3", "21:9", "7:3"):
                for size in ("512", "1K", "2K", "4K", "1024x1536"):
                    server.reply(*self.answers(self.picture))
                    assert await vendor.generate(self.ask(aspect_ratio=aspect_ratio, size=size))

        self.using(spec, tmp_path, check)

    def test_references_are_sent(self, spec: Any, tmp_path: Path) -> None:
        references = tuple(
            Image(data=PIXEL + bytes([n]), media_type="image/png", name=f"{n}.png")
            for n in range(spec.max_references)
        )

        async def check(vendor: Any, server: VendorServer) -> None:
            server.reply(*self.answers(self.picture))
            await vendor.generate(self.ask(references=references))
            body = server.requests[0].body
            for image in references:
                assert image.data in body or base64.b64encode(image.data) in body

        self.using(spec, tmp_path, check)
