"""The tool: what it asks for, what it keeps, and what it tells when something fails."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
from nanobot import errors
from nanobot.messages import File
from nanobot_testing import make_turn, run
from nanobot_testing.contracts.image import PIXEL
from nanobot_testing.servers.wire import Reply, ScriptedServer, json_reply

ENCODED = base64.b64encode(PIXEL).decode()


def test_a_picture_is_kept_with_how_it_was_made(studio: Any, painter: Any) -> None:
    result = studio(prompt="  eine Katze  ", aspect_ratio="16:9")
    assert not result.is_error
    (path,) = studio.files()
    assert path.read_bytes() == PIXEL
    assert path.parent.name == "2026-01-02" and len(path.stem) == len("img_") + 12
    (file,) = [part for part in result.parts if isinstance(part, File)]
    assert (file.path, file.media_type, file.name) == (str(path), "image/png", path.name)
    about = json.loads(path.with_suffix(".json").read_text())
    assert about["prompt"] == "eine Katze" and about["model"] == "oil"
    assert about["path"] == str(path.relative_to(studio.workspace))
    (asked,) = painter.asked
    assert (asked.prompt, asked.aspect_ratio, asked.size) == ("eine Katze", "16:9", "1K")
    assert "generate_image" in result.text and str(path) in result.text


def test_settings_are_the_defaults(studio: Any, painter: Any) -> None:
    studio.config |= {
        "model": "aquarelle",
        "defaultAspectRatio": "3:4",
        "defaultImageSize": "1024x1536",
        "saveDir": "art/new",
    }
    assert not studio(prompt="a cat").is_error
    (asked,) = painter.asked
    assert (asked.model, asked.aspect_ratio, asked.size) == ("aquarelle", "3:4", "1024x1536")
    assert list(studio.workspace.glob("art/new/*/img_*.png"))


@pytest.mark.parametrize("folder", ["../out", "/etc", "a//b", "", "a/../b", "a\nb"])
def test_the_folder_stays_in_the_workspace(studio: Any, folder: str) -> None:
    studio.config["saveDir"] = folder
    with pytest.raises(ValueError, match="saveDir"):
        studio(prompt="a cat")


@pytest.mark.parametrize("form", [ENCODED, f"data:image/png;base64,{ENCODED}", f"\n{ENCODED}\n"])
def test_every_form_of_base64_is_read(studio: Any, painter: Any, form: str) -> None:
    async def draw(request: Any) -> list[str]:
        return [form]

    painter.draw = draw
    assert not studio(prompt="a cat").is_error
    assert studio.files()[0].read_bytes() == PIXEL


def png(width: int, height: int) -> bytes:
    """Return the head of a PNG that claims to have these sides."""
    return PIXEL[:16] + struct.pack(">II", width, height) + PIXEL[24:]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ("!!!", "bad_answer"),
        ("QUJD=QUJD", "bad_answer"),
        ("data:image/png,abc", "bad_answer"),
        (base64.b64encode(b"<svg onload=alert(1)>").decode(), "no_picture"),
        (base64.b64encode(b"\x89PNG\r\n\x1a\n").decode(), "no_picture"),
        (base64.b64encode(png(30_000, 30_000)).decode(), "too_large"),
        (base64.b64encode(png(0, 5)).decode(), "no_picture"),
        ("A" * (45 * 2**20), "too_large"),
    ],
)
def test_what_is_no_good_picture_is_not_kept(
    studio: Any, painter: Any, data: str, kind: str
) -> None:
    async def draw(request: Any) -> list[str]:
        return [data]

    painter.draw = draw
    assert studio(prompt="a cat").kind == kind
    assert not (studio.workspace / "generated").exists()


def test_references_are_read_from_the_workspace(studio: Any, painter: Any) -> None:
    first = studio(prompt="a cat").parts[1].path
    result = studio(prompt="a hat on it", reference_images=[first, "generated/../generated"])
    assert result.kind == "not_a_file"
    assert not studio(prompt="a hat on it", reference_images=[first]).is_error
    (image,) = painter.asked[-1].references
    assert (image.data, image.media_type) == (PIXEL, "image/png")


def test_references_can_not_leak_files(studio: Any, painter: Any, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(PIXEL)
    (studio.workspace / "notes.txt").write_text("private")
    (studio.workspace / "link.png").symlink_to(tmp_path / "secret.png")
    os.mkfifo(studio.workspace / "pipe.png")
    for path, kind in {
        str(tmp_path / "secret.png"): "outside_workspace",
        "../secret.png": "outside_workspace",
        "link.png": "outside_workspace",
        "notes.txt": "no_picture",
        "pipe.png": "not_a_file",
        "gone.png": "not_found",
    }.items():
        assert studio(prompt="copy it", reference_images=[path]).kind == kind
    assert not painter.asked


def test_references_are_bounded(studio: Any, painter: Any) -> None:
    (studio.workspace / "big.png").write_bytes(PIXEL + bytes(12 * 2**20))
    assert studio(prompt="both", reference_images=["big.png", "big.png"]).kind == "too_large"
    result = studio(prompt="all", reference_images=["big.png"] * 3)
    assert result.kind == "bad_argument" and "at most 2 reference_images" in result.text
    assert not painter.asked


def test_a_turn_makes_no_more_than_its_share(studio: Any, painter: Any) -> None:
    async def work() -> list[str]:
        async with studio.opened() as tool:
            mine, other = studio.turn, make_turn(studio.workspace, user="bob")
            wants = [(mine, 3), (mine, 2), (mine, 1), (mine, 1), (other, 4)]
            return [
                (await studio.once(tool, turn, prompt="a cat", count=count)).kind
                for turn, count in wants
            ]

    assert run(work()) == ["", "limit", "", "limit", ""]
    assert len(studio.files()) == len(painter.asked) == 8


def test_what_failed_does_not_count(studio: Any, painter: Any) -> None:
    async def draw(request: Any) -> list[str]:
        if len(painter.asked) <= 4:
            raise errors.OverloadError("the vendor is busy")
        return [ENCODED]

    async def work() -> list[Any]:
        async with studio.opened() as tool:
            return [await studio.once(tool, studio.turn, prompt="a cat", count=4) for _ in "ab"]

    painter.draw = draw
    failed, made = run(work())
    assert (failed.kind, failed.retryable) == ("unavailable", True)
    assert not made.is_error and len(studio.files()) == 4


def test_some_of_several_are_kept(studio: Any, painter: Any) -> None:
    async def draw(request: Any) -> list[str]:
        if len(painter.asked) == 2:
            raise errors.ContentFiltered("Provider painter refused it")
        return [ENCODED]

    painter.draw = draw
    result = studio(prompt="a cat", count=3)
    assert not result.is_error and len(studio.files()) == 2
    assert "Made 2 pictures" in result.text
    assert "1 more could not be made: Provider painter refused it" in result.text


@pytest.mark.parametrize(
    ("error", "kind", "retryable"),
    [
        (errors.AuthError("key", remedy="Set providers.painter.apiKey."), "not_configured", False),
        (errors.QuotaError("empty"), "quota", False),
        (errors.RateLimitError("slow", retry_after=5), "rate_limited", True),
        (errors.ProviderTimeout("late"), "timeout", True),
        (errors.TransportError("gone"), "unavailable", True),
        (errors.ContentFiltered("no"), "content_policy", False),
        (errors.BadRequest("what"), "bad_request", False),
        (errors.MalformedAnswer("hm"), "bad_answer", True),
    ],
)
def test_failures_have_kinds(
    studio: Any, painter: Any, error: Exception, kind: str, retryable: bool
) -> None:
    async def draw(request: Any) -> list[str]:
        raise error

    painter.draw = draw
    result = studio(prompt="a cat")
    assert (result.kind, result.retryable) == (kind, retryable)
    assert str(error) in result.text


def test_a_vendor_that_does_not_open(studio: Any, painter: Any) -> None:
    painter.broken = errors.ConfigError("providers.painter.apiBase is no address")
    result = studio(prompt="a cat")
    assert result.kind == "not_configured" and "apiBase" in result.text


def test_a_vendor_that_is_not_installed_is_named_with_its_cure(studio: Any) -> None:
    studio.config["provider"] = "stepFun"
    result = studio(prompt="a cat")
    assert result.kind == "not_configured"
    assert "pip install nanobot-image-step-fun" in result.text and "painter" in result.text


@pytest.mark.parametrize(
    "args",
    [
        {"prompt": " "},
        {"prompt": "x" * 40_000},
        {"prompt": "a", "aspect_ratio": "0:1"},
        {"prompt": "a", "aspect_ratio": "wide"},
        {"prompt": "a", "image_size": "8K"},
        {"prompt": "a", "image_size": "99999x99999"},
        {"prompt": "a", "count": 9},
        {"prompt": "a", "count": True},
        {"prompt": "a", "reference_images": "cat.png"},
        {"prompt": "a", "reference_images": ["cat.png"] * 9},
    ],
)
def test_wrong_arguments(studio: Any, painter: Any, args: dict[str, Any]) -> None:
    assert studio(**args).kind == "bad_argument"
    assert not painter.asked


def test_no_more_than_four_are_made_at_a_time(studio: Any, painter: Any) -> None:
    running, most = 0, 0

    async def draw(request: Any) -> list[str]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return [ENCODED]

    painter.draw = draw
    studio.config["maxImagesPerTurn"] = 8
    assert not studio(prompt="a cat", count=8).is_error
    assert most == 4 and len(studio.files()) == 8


def fetched(studio: Any, painter: Any, *replies: Reply, allowed: bool = True) -> Any:
    """Return what comes of a picture that the vendor sends as a link to a server here."""

    async def work() -> Any:
        async with ScriptedServer() as server, studio.opened() as tool:

            async def draw(request: Any) -> list[str]:
                return [f"{server.base_url}/made.png"]

            painter.draw = draw
            server.reply(*replies)
            result = await studio.once(tool, studio.turn, prompt="a cat")
            return result, len(server.requests)

    studio.allowed = ("127.0.0.0/8",) if allowed else ()
    return run(work())


def test_a_link_is_fetched(studio: Any, painter: Any) -> None:
    reply = Reply(body=[PIXEL[:20], PIXEL[20:]], headers={"content-type": "binary/octet-stream"})
    result, _ = fetched(studio, painter, reply)
    assert not result.is_error
    assert studio.files()[0].read_bytes() == PIXEL


def test_a_link_into_the_house_is_refused(studio: Any, painter: Any) -> None:
    result, asked = fetched(studio, painter, Reply(body=[PIXEL]), allowed=False)
    assert result.kind == "blocked_address" and asked == 0


def test_a_link_may_not_lead_into_the_house(studio: Any, painter: Any) -> None:
    away = Reply(status=302, headers={"location": "http://169.254.169.254/latest"}, chunked=False)
    result, asked = fetched(studio, painter, away)
    assert result.kind == "blocked_address" and asked == 1


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (json_reply({"gone": True}, status=404), "bad_answer"),
        (Reply(body=[b"<html>expired</html>"]), "no_picture"),
        (Reply(body=[PIXEL, *[bytes(2**20)] * 33]), "too_large"),
    ],
)
def test_a_link_to_something_else(studio: Any, painter: Any, reply: Reply, kind: str) -> None:
    result, _ = fetched(studio, painter, reply)
    assert result.kind == kind and not studio.files()
