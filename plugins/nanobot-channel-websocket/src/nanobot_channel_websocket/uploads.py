"""Files that clients send: checked by what they say they are and by what they are, then stored."""

from __future__ import annotations

import asyncio
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from nanobot.messages import File, Image, Part
from nanobot_gateway.files import FileKind, keep, shown_name, sniff

MOST_IMAGES = 4
MOST_FILES = 4
MOST_VIDEOS = 1
FILE_BYTES = 6 * 2**20
VIDEO_BYTES = 20 * 2**20
TOTAL_BYTES = 24 * 2**20
LONGEST_NAME = 80
_CHUNK = 2**20  # characters of base64 decoded at once; the event loop gets its turn in between

_OFFICE = "application/vnd.openxmlformats-officedocument."
_DATA_URL = re.compile(
    r"data:(?P<type>[a-z]+/[a-z0-9.+-]+)(?:;[a-z0-9-]+=[a-z0-9._-]+)*;base64,", re.IGNORECASE
)
# Media type: ending of the stored file.
_IMAGES = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp", "image/gif": ".gif"}
_VIDEOS = {"video/mp4": ".mp4", "video/webm": ".webm", "video/quicktime": ".mov"}
_MP4 = ("video/mp4", "video/quicktime", "audio/mp4")  # one container, whose brands overlap
_TEXTS = {
    "application/json": ".json",
    "application/toml": ".toml",
    "application/x-yaml": ".yaml",
    "application/yaml": ".yaml",
    "application/xml": ".xml",
    "text/csv": ".csv",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "text/xml": ".xml",
    "text/yaml": ".yaml",
}
_DOCUMENTS = {
    "application/pdf": ".pdf",
    _OFFICE + "presentationml.presentation": ".pptx",
    _OFFICE + "spreadsheetml.sheet": ".xlsx",
    _OFFICE + "wordprocessingml.document": ".docx",
}
_SUFFIXES = {**_IMAGES, **_VIDEOS, **_TEXTS, **_DOCUMENTS}


class Rejected(Exception):
    """Refuse what was attached.

    Args:
        reason: A word that clients know.
        text: What is wrong, for people.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """A stored file, and the part of the message that it makes."""

    path: Path
    part: Part


@dataclass(frozen=True, kw_only=True, slots=True)
class _Item:
    url: str
    start: int
    media_type: str
    name: str

    @property
    def size(self) -> int:
        return (len(self.url) - self.start) * 3 // 4


async def store(media: object, folder: Path) -> list[Upload]:
    """Store the files of a message, all or none, mode 0600 and under random names.

    Raises:
        Rejected: A client may not attach this.
        nanobot.errors.StorageError: They can not be written.
    """
    items = _checked(media)
    return await asyncio.to_thread(_store, items, folder) if items else []


def discard(uploads: list[Upload]) -> None:
    """Remove stored files that nobody will ask for."""
    for upload in uploads:
        upload.path.unlink(missing_ok=True)


def _checked(media: object) -> list[_Item]:
    if media is None:
        return []
    if not isinstance(media, list):
        raise Rejected("malformed", "media is a list of {data_url, name}")
    if len(media) > MOST_FILES + MOST_VIDEOS:
        raise Rejected("too_many_attachments", f"attach at most {MOST_FILES} files")
    items = [_item(entry) for entry in media]
    images = sum(item.media_type in _IMAGES for item in items)
    videos = [item for item in items if item.media_type in _VIDEOS]
    files = [item for item in items if item.media_type not in _VIDEOS]
    if images > MOST_IMAGES:
        raise Rejected("too_many_images", f"attach at most {MOST_IMAGES} images")
    if len(videos) > MOST_VIDEOS:
        raise Rejected("too_many_videos", f"attach at most {MOST_VIDEOS} video")
    if len(files) > MOST_FILES:
        raise Rejected("too_many_attachments", f"attach at most {MOST_FILES} files")
    if any(file.size > FILE_BYTES for file in files):
        raise Rejected("size", f"a file may have at most {FILE_BYTES} bytes")
    if any(video.size > VIDEO_BYTES for video in videos):
        raise Rejected("size", f"a video may have at most {VIDEO_BYTES} bytes")
    if sum(file.size for file in files) > TOTAL_BYTES:
        raise Rejected("total_size", f"all files may have at most {TOTAL_BYTES} bytes")
    return items


def _item(entry: object) -> _Item:
    if not isinstance(entry, Mapping) or not isinstance(url := entry.get("data_url"), str):
        raise Rejected("malformed", "media is a list of {data_url, name}")
    name = entry.get("name")
    if name is not None and not isinstance(name, str):
        raise Rejected("malformed", "the name of an attachment is a text")
    found = _DATA_URL.match(url[:256])
    if found is None:
        raise Rejected("malformed", "data_url must be a base64 data URL")
    media_type = found["type"].lower()
    if media_type not in _SUFFIXES:
        raise Rejected("mime", f"files of type {media_type} can not be attached")
    return _Item(
        url=url,
        start=found.end(),
        media_type=media_type,
        name=shown_name(name or "")[:LONGEST_NAME],
    )


def _store(items: list[_Item], folder: Path) -> list[Upload]:
    made: list[Upload] = []
    try:
        for item in items:
            content = _decoded(item)
            if not _is(item.media_type, sniff(BytesIO(content))):
                raise Rejected("mime", f"an attachment is not what it says: {item.media_type}")
            kept = keep(content, folder, FileKind(item.media_type, _SUFFIXES[item.media_type]))
            made.append(Upload(path=kept.path, part=_part(item, kept.path, content)))
    except BaseException:
        discard(made)
        raise
    return made


def _decoded(item: _Item) -> bytes:
    pieces = []
    for start in range(item.start, len(item.url), _CHUNK):
        piece = item.url[start : start + _CHUNK]
        last = start + _CHUNK >= len(item.url)
        try:
            pieces.append(binascii.a2b_base64(piece.encode("ascii"), strict_mode=True))
        except (UnicodeEncodeError, binascii.Error):
            raise Rejected("decode", "an attachment is not valid base64") from None
        if not last and "=" in piece:
            raise Rejected("decode", "an attachment is not valid base64")
    content = b"".join(pieces)
    if not content:
        raise Rejected("decode", "an attachment is empty")
    return content


def _is(media_type: str, found: FileKind) -> bool:
    """Tell whether a file is what its media type says, as far as its content shows."""
    if media_type in _TEXTS:
        return found.media_type == "text/plain"
    if media_type in _VIDEOS and found.media_type in _MP4:
        return media_type in _MP4
    return found.media_type == media_type


def _part(item: _Item, path: Path, content: bytes) -> Part:
    if item.media_type in _IMAGES:
        return Image(data=content, media_type=item.media_type, name=item.name)
    return File(path=str(path), media_type=item.media_type, name=item.name or path.name)
