"""Pixels for an aspect ratio and a size."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

GPT_IMAGE = {
    "1:1": "1024x1024",
    "3:2": "1536x1024",
    "4:3": "1536x1024",
    "16:9": "1536x1024",
    "2:3": "1024x1536",
    "3:4": "1024x1536",
    "9:16": "1024x1536",
}
"""Pixels of OpenAI's GPT Image models, which several vendors offer."""

_LONG_SIDE = {"512": 512, "1K": 1024, "2K": 2048, "4K": 4096}
_PIXELS = re.compile(r"[0-9]+x[0-9]+")


def is_pixels(size: str) -> bool:
    """Tell whether a size is in pixels, such as ``1024x1536``."""
    return _PIXELS.fullmatch(size) is not None


def ratio(text: str) -> tuple[int, int]:
    """Return the two sides of an aspect ratio such as ``16:9``."""
    width, _, height = text.partition(":")
    return int(width), int(height)


def from_table(table: Mapping[str, str], aspect_ratio: str, size: str) -> str:
    """Return pixels from a vendor's table by aspect ratio; pixels that were asked for win.

    A ratio that the table lacks gets the entry whose shape is nearest.
    """
    if is_pixels(size):
        return size
    return table[nearest(table, aspect_ratio)]


def nearest(known: Iterable[str], aspect_ratio: str) -> str:
    """Return the aspect ratio among those that a vendor knows whose shape is nearest."""
    wide, high = ratio(aspect_ratio)
    return min(known, key=lambda one: _distance(ratio(one), (wide, high)))


def computed(aspect_ratio: str, size: str) -> tuple[int, int]:
    """Return width and height, multiples of 8, whose longer side is 1024 times the K of the size.

    Pixels that were asked for win.
    """
    if is_pixels(size):
        width, _, height = size.partition("x")
        return int(width), int(height)
    wide, high = ratio(aspect_ratio)
    scale = _LONG_SIDE[size] / max(wide, high)
    return _eights(wide * scale), _eights(high * scale)


def _eights(side: float) -> int:
    return max(8, round(side / 8) * 8)


def _distance(one: tuple[int, int], other: tuple[int, int]) -> float:
    a, b = one[0] / one[1], other[0] / other[1]
    return max(a / b, b / a)
