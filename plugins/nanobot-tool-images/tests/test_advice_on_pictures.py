"""What is said of the configuration when an instance starts."""

from __future__ import annotations

from typing import Any

import pytest
from nanobot.findings import AdviceRequest
from nanobot_tool_images.plugin import nanobot_advice


def advice(section: Any, *installed: str) -> list[str]:
    request = AdviceRequest(
        document={"tools": {"imageGeneration": section}},
        installed={"images": installed},
        specs={},
    )
    return [finding.remedy for finding in nanobot_advice(request)]


@pytest.mark.parametrize(
    ("section", "installed", "remedies"),
    [
        ({"enabled": True}, [], ["pip install nanobot-image-openrouter"]),
        ({"enabled": True}, ["openrouter"], []),
        ({"enabled": True, "provider": "miniMax-x"}, [], ["pip install nanobot-image-mini-max-x"]),
        ({"enabled": False, "provider": "zhipu"}, [], []),
        ({"provider": "zhipu"}, [], []),
        (None, [], []),
        ("on", [], []),
    ],
)
def test_a_vendor_that_is_missing(section: Any, installed: list[str], remedies: list[str]) -> None:
    assert advice(section, *installed) == remedies


def test_a_document_without_tools_is_no_trouble() -> None:
    for document in ({}, {"tools": None}, {"tools": []}):
        request = AdviceRequest(document=document, installed={}, specs={})
        assert not list(nanobot_advice(request))
