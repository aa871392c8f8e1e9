"""The contract of tools, held by the tool for pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from nanobot_testing import ToolContract, host
from nanobot_testing.contracts.image import PIXEL


class TestImages(ToolContract):
    plugin = "tools.images"
    config: ClassVar[Mapping[str, object]] = {"enabled": True, "provider": "painter"}
    examples: ClassVar[Mapping[str, Sequence[Mapping[str, object]]]] = {
        "generate_image": [
            {"prompt": "a cat"},
            {
                "prompt": "give it a hat",
                "reference_images": ["cat.png"],
                "aspect_ratio": "16:9",
                "image_size": "2K",
                "count": 2,
            },
        ]
    }

    def prepare(self, folder: Path) -> None:
        (folder / "cat.png").write_bytes(PIXEL)

    @pytest.fixture(autouse=True)
    def with_a_vendor(self, painter: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the contexts that the contract makes know a vendor."""
        make = host.make_context

        def make_context(*args: Any, **more: Any) -> Any:
            return replace(make(*args, **more), extensions=painter.extensions)

        monkeypatch.setattr(host, "make_context", make_context)
