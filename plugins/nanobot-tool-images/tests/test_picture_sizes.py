"""Pixels for ratios and sizes."""

from __future__ import annotations

import pytest
from nanobot_tool_images.sizes import computed, from_table, nearest

TABLE = {"1:1": "1024x1024", "16:9": "1536x1024", "9:16": "1024x1536"}


@pytest.mark.parametrize(
    ("ratio", "size", "pixels"),
    [
        ("1:1", "1K", "1024x1024"),
        ("21:9", "4K", "1536x1024"),
        ("2:3", "1K", "1024x1536"),
        ("5:4", "1K", "1024x1024"),
        ("16:9", "640x480", "640x480"),
    ],
)
def test_a_table_gives_the_nearest(ratio: str, size: str, pixels: str) -> None:
    assert from_table(TABLE, ratio, size) == pixels


@pytest.mark.parametrize(
    ("ratio", "size", "sides"),
    [
        ("1:1", "512", (512, 512)),
        ("16:9", "4K", (4096, 2304)),
        ("7:3", "1K", (1024, 440)),
        ("1:99", "1K", (8, 1024)),
        ("1:1", "100x999", (100, 999)),
    ],
)
def test_sides_are_computed(ratio: str, size: str, sides: tuple[int, int]) -> None:
    assert computed(ratio, size) == sides


def test_wide_and_high_are_alike() -> None:
    assert nearest(("1:1", "2:1", "1:2"), "3:1") == "2:1"
    assert nearest(("1:1", "2:1", "1:2"), "1:3") == "1:2"
