"""Offers Zhipu AI as a maker of pictures."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot_tool_images.specs import ImageSpec


@hookimpl
def nanobot_images() -> Iterable[ImageSpec]:
    """Return the vendor."""
    yield ImageSpec(
        name="zhipu",
        title="Zhipu AI",
        factory="nanobot_tool_images.generations:open_image",
        section="providers.zhipu",
        default_model="glm-image",
        options={
            "service": {
                "base_url": "https://open.bigmodel.cn/api/paas/v4",
                "env_keys": ("ZAI_API_KEY", "ZHIPUAI_API_KEY"),
                "cut": ("/chat/completions",),
                "error_codes": {
                    **dict.fromkeys(("1000", "1001", "1002", "1003", "1004"), "auth"),
                    **dict.fromkeys(("1113", "1304", "1308"), "quota"),
                    **dict.fromkeys(("1302", "1303", "1305"), "rate_limit"),
                    "1301": "filtered",
                },
                "deadline_s": 300.0,
            },
            "sizes": {
                "1:1": "1280x1280",
                "3:2": "1568x1056",
                "2:3": "1056x1568",
                "4:3": "1472x1088",
                "3:4": "1088x1472",
                "16:9": "1728x960",
                "9:16": "960x1728",
            },
        },
    )
