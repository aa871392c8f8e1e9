"""What servers answer, as parts."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from mcp import types
from nanobot.messages import File, Image, Text, Trust, Workspace
from nanobot_tool_mcp import results
from nanobot_tool_mcp.results import Reader, picture_type

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


def read(folder: Path, *content: dict[str, Any], **more: Any) -> Any:
    result = types.CallToolResult.model_validate({"content": list(content), **more})
    return Reader(Workspace(root=folder)).tool(result)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_texts_pictures_and_sounds(tmp_path: Path) -> None:
    result = read(
        tmp_path,
        {"type": "text", "text": "hello"},
        {"type": "image", "data": encoded(PNG), "mimeType": "image/jpeg"},
        {"type": "audio", "data": encoded(b"RIFF...."), "mimeType": "audio/wav"},
    )
    text, picture, sound = result.parts
    assert text == Text(text="hello", trust=Trust.UNTRUSTED)
    assert isinstance(picture, Image)
    assert (picture.data, picture.media_type) == (PNG, "image/png")
    assert isinstance(sound, File)
    assert (tmp_path / sound.path).read_bytes() == b"RIFF...."
    assert sound.path.startswith(".nanobot/mcp/")
    assert {part.trust for part in result.parts} == {Trust.UNTRUSTED}


def test_embedded_resources_and_links(tmp_path: Path) -> None:
    resource = {"uri": "demo://a", "mimeType": "application/pdf", "blob": encoded(b"%PDF")}
    result = read(
        tmp_path,
        {"type": "resource", "resource": {"uri": "demo://t", "text": "inside"}},
        {"type": "resource", "resource": resource},
        {"type": "resource", "resource": {**resource, "mimeType": "text/plain"}},
        {"type": "resource_link", "uri": "demo://l", "name": "notes", "description": "Mine"},
    )
    inside, pdf, plain, link = result.parts
    assert inside.text == "inside"
    assert (tmp_path / pdf.path).read_bytes() == b"%PDF"
    assert (pdf.media_type, pdf.name) == ("application/pdf", "demo://a")
    assert plain.text == "%PDF"
    assert link.text == "[resource notes at demo://l: Mine]"


def test_what_is_no_picture_for_a_model_is_kept_as_a_file(tmp_path: Path) -> None:
    svg = {"type": "image", "data": encoded(b"<svg/>"), "mimeType": "image/svg+xml"}
    (part,) = read(tmp_path, svg).parts
    assert isinstance(part, File)
    assert part.path.endswith(".svg")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8", "image/webp"),
        (b"RIFF\0\0\0\0WAVE", ""),
        (b"", ""),
    ],
)
def test_pictures_are_known_by_their_first_bytes(data: bytes, kind: str) -> None:
    assert picture_type(data) == kind


def test_structured_content_counts_when_there_is_nothing_else(tmp_path: Path) -> None:
    assert read(tmp_path, structuredContent={"a": 1}).text == '{"a": 1}'
    text = {"type": "text", "text": "one"}
    assert read(tmp_path, text, structuredContent={"a": 1}).text == "one"
    assert read(tmp_path).parts == ()


def test_errors_keep_what_was_said(tmp_path: Path) -> None:
    result = read(tmp_path, {"type": "text", "text": "no such city"}, isError=True)
    assert (result.kind, result.text) == ("failed", "no such city")
    assert "did not say" in read(tmp_path, isError=True).text


def test_everything_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MAX_TEXT", 10)
    monkeypatch.setattr(results, "MAX_BYTES", 30)
    texts = read(tmp_path, *({"type": "text", "text": "x" * 8} for _ in range(3)))
    assert texts.text.count("x") == 10
    assert "6 more characters" in texts.text
    big = {"type": "image", "data": encoded(PNG * 9), "mimeType": "image/png"}
    assert "left out" not in read(tmp_path, {**big, "data": encoded(PNG)}).text
    assert isinstance(read(tmp_path, big).parts[0], Text)
    many = read(tmp_path, *({"type": "text", "text": ""} for _ in range(100)))
    assert len(many.parts) == results.MAX_PARTS + 1


def test_bad_base64_is_told(tmp_path: Path) -> None:
    result = read(tmp_path, {"type": "image", "data": "a", "mimeType": "image/png"})
    assert "not valid base64" in result.text


def test_a_file_that_can_not_be_kept_is_told(tmp_path: Path) -> None:
    (tmp_path / ".nanobot").write_text("in the way")
    result = read(tmp_path, {"type": "audio", "data": encoded(b"x"), "mimeType": "audio/wav"})
    assert "could not be kept" in result.text


def test_a_link_out_of_the_workspace_is_not_followed(tmp_path: Path) -> None:
    work, outside = tmp_path / "work", tmp_path / "outside"
    work.mkdir()
    outside.mkdir()
    (work / ".nanobot").symlink_to(outside)
    result = types.CallToolResult.model_validate(
        {"content": [{"type": "audio", "data": encoded(b"x"), "mimeType": "audio/wav"}]}
    )
    read = Reader(Workspace(root=work, restricted=True)).tool(result)
    assert "could not be kept" in read.text
    assert list(outside.rglob("*")) == []
