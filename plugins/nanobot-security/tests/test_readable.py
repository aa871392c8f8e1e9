"""Folders whose files may be read, wherever they lie: what came in with messages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from nanobot.errors import ToolError
from nanobot_security.disk import Disk


@pytest.fixture(params=[True, False], ids=["restricted", "unrestricted"])
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Disk:
    """Return a guard whose data folder is denied, but for the media in it."""
    for folder in ("work", "data/media"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "data/config.json").write_text("secret")
    (tmp_path / "data/media/photo.txt").write_text("hello")
    (tmp_path / "data/media/link").symlink_to(tmp_path / "data/config.json")
    data = tmp_path / "data"
    return Disk(
        tmp_path / "work", restricted=request.param, denied=(data,), readable=(data / "media",)
    )


def test_a_file_that_came_in_is_read_as_foreign(disk: Disk, tmp_path: Path) -> None:
    path = str(tmp_path / "data/media/photo.txt")
    opened = disk.open(path)
    with opened.file as file:
        assert file.read() == b"hello"
    assert not opened.inside
    assert disk.stat(path).size == 5


@pytest.mark.parametrize("name", ["../config.json", "link", "x/../../config.json", "."])
def test_there_is_no_way_out_of_it(disk: Disk, tmp_path: Path, name: str) -> None:
    with pytest.raises(ToolError):
        disk.open(f"{tmp_path}/data/media/{name}")


@pytest.mark.parametrize(
    "change",
    [
        lambda disk, path: disk.write(path, b"x"),
        lambda disk, path: disk.remove(path),
        lambda disk, path: disk.rename(path, "mine.txt"),
        lambda disk, path: disk.list(str(Path(path).parent)),
    ],
)
def test_it_can_not_be_changed_or_searched(
    disk: Disk, tmp_path: Path, change: Callable[[Disk, str], object]
) -> None:
    path = tmp_path / "data/media/photo.txt"
    with pytest.raises(ToolError):
        change(disk, str(path))
    assert path.read_text() == "hello"
