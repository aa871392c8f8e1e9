"""The contract of picture vendors, held by ModelScope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nanobot import errors
from nanobot.messages import Image
from nanobot_image_modelscope.vendor import open_image
from nanobot_testing import load_spec, make_context, run
from nanobot_testing.contracts.image import LINK, PIXEL, ImageContract
from nanobot_testing.contracts.vendor import KEY, VendorServer
from nanobot_testing.lab import FakeClock
from nanobot_testing.servers.wire import Reply, json_reply


def task(status: str, **more: Any) -> Reply:
    """Return what a look at a task gives."""
    return json_reply({"task_id": "t1", "task_status": status, **more})


STARTED = task("PENDING")


class TestModelScope(ImageContract):
    plugin = "images.modelscope"
    model = "Qwen/Qwen-Image-2512"
    links = True

    def answers(self, picture: str) -> Sequence[Reply]:
        return [STARTED, task("SUCCEED", output_images=[picture])]

    def refusals(self) -> Sequence[Reply]:
        why = {"code": "data_inspection_failed", "message": "Input may be inappropriate."}
        return [STARTED, task("FAILED", **why)]

    def test_what_is_sent(self, spec: Any, tmp_path: Path) -> None:
        async def check(vendor: Any, server: Any) -> None:
            server.reply(*self.answers(self.picture))
            reference = Image(data=PIXEL, media_type="image/png")
            await vendor.generate(self.ask(aspect_ratio="16:9", references=(reference,)))
            start, look = server.requests
            assert (start.path, look.path) == ("/images/generations", "/tasks/t1")
            assert start.headers["x-modelscope-async-mode"] == "true"
            assert look.headers["x-modelscope-task-type"] == "image_generation"
            assert start.json["size"] == "1664x928"
            assert len(start.json["image_url"]) == 1

        self.using(spec, tmp_path, check)

    def test_a_task_id_stays_in_its_place(self, spec: Any, tmp_path: Path) -> None:
        reply = json_reply({"task_id": "../../secrets"})
        self.fails(spec, tmp_path, errors.MalformedAnswer, reply)

    @pytest.mark.parametrize("looks", [3, 60])
    def test_a_task_is_looked_at_until_it_is_done(self, tmp_path: Path, looks: int) -> None:
        async def go() -> None:
            clock = FakeClock()
            spec = load_spec(self.plugin)
            context = replace(make_context(spec, tmp_path, plugin=self.plugin), clock=clock)
            async with VendorServer() as server:
                config = spec.config.model_validate({"apiKey": KEY, "apiBase": server.base_url})
                async with open_image(config, context) as vendor:
                    server.reply(STARTED, *[task("RUNNING")] * looks)
                    server.reply(task("SUCCEED", output_images=[LINK]))
                    if looks < 60:
                        assert await vendor.generate(self.ask()) == [LINK]
                        assert clock.slept == [5.0] * looks
                    else:
                        with pytest.raises(errors.ProviderTimeout, match="300 s"):
                            await vendor.generate(self.ask())

        run(go())
