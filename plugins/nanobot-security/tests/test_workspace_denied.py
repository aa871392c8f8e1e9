"""What no tool may touch, restricted or not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from nanobot.errors import OutsideWorkspace, ToolError
from nanobot_security import Disk


@pytest.fixture(params=[True, False], ids=["restricted", "unrestricted"])
def ws(root: Path, request: pytest.FixtureRequest) -> Disk:
    """The usual layout: the workspace lies in the data folder, the transcripts in the workspace."""
    data = root / "data"
    (data / "workspace" / "sessions" / "deep").mkdir(parents=True)
    (data / "workspace" / "sessions" / "deep" / "s.jsonl").write_text("CANARY")
    (data / "workspace" / "mine").mkdir()
    (data / "workspace" / "mine" / "f.txt").write_text("mine")
    (data / "config.json").write_text("CANARY")
    home = data / "workspace"
    return Disk(home, restricted=request.param, denied=(data, home / "sessions"))


def refused(work: object, *args: object) -> None:
    with pytest.raises(OutsideWorkspace) as caught:
        work(*args)  # type: ignore[operator]
    assert "hard policy boundary" in caught.value.message


SECRETS = ["sessions/deep/s.jsonl", "../config.json", "mine/../sessions/deep/s.jsonl"]


def test_the_workspace_in_the_data_folder_is_usable(ws: Disk) -> None:
    with ws.open_read("mine/f.txt") as file:
        assert file.read() == b"mine"
    ws.write("mine/new/g.txt", b"g")
    assert [entry.path for entry in ws.list(".")] == ["mine"]
    assert [entry.path for entry, _ in ws.walk(".")] == [
        "mine",
        "mine/f.txt",
        "mine/new",
        "mine/new/g.txt",
    ]


@pytest.mark.parametrize("path", SECRETS)
def test_by_name(ws: Disk, path: str) -> None:
    refused(ws.open_read, path)
    refused(ws.stat, path)
    refused(ws.write, path, b"x")
    refused(ws.remove, path)
    refused(ws.rename, path, "mine/stolen")
    refused(ws.rename, "mine/f.txt", path)
    refused(ws.list, os.path.dirname(path) or ".")


def test_by_absolute_name(ws: Disk) -> None:
    refused(ws.open_read, str(ws.root / "sessions/deep/s.jsonl"))
    refused(ws.open_read, str(ws.root.parent / "config.json"))


def test_by_link(ws: Disk) -> None:
    os.symlink("../sessions/deep", ws.root / "mine/folder")
    os.symlink(ws.root.parent / "config.json", ws.root / "mine/file")
    refused(ws.open_read, "mine/folder/s.jsonl")
    refused(ws.list, "mine/folder")
    refused(ws.open_read, "mine/file")
    refused(ws.write, "mine/file", b"x")
    refused(ws.write, "mine/folder/new", b"x")


def test_by_hard_link(ws: Disk) -> None:
    os.link(ws.root / "sessions/deep/s.jsonl", ws.root / "mine/hard")
    refused(ws.open_read, "mine/hard")
    refused(ws.write, "mine/hard", b"x")
    contents = [file.read() for _, file in ws.walk(".") if file]
    assert contents == [b"mine"]


def test_after_the_folder_was_moved(ws: Disk) -> None:
    """The guard looks for what was denied under its configured name; a copy is out of its hands."""
    os.rename(ws.root / "sessions", ws.root / "mine/sessions")
    os.symlink("mine/sessions", ws.root / "sessions")
    refused(ws.open_read, "mine/sessions/deep/s.jsonl")


def test_what_does_not_exist_yet_can_not_be_made(ws: Disk, root: Path) -> None:
    home = ws.root
    late = Disk(
        home, restricted=ws.restricted, denied=(home / "late" / "state", home / "mine" / "late.db")
    )
    refused(late.write, "late/state/x", b"x")
    refused(late.write, "late/state", b"x")
    refused(late.write, "late", b"x")
    refused(late.write, "mine/late.db", b"x")
    refused(late.write, "mine/LATE.db", b"x")
    refused(late.rename, "mine/f.txt", "mine/late.db")
    late.write("mine/other.db", b"x")
    assert not (home / "mine" / "late.db").exists()


def test_hints_do_not_tell_names(ws: Disk) -> None:
    with pytest.raises(ToolError) as caught:
        ws.open_read("session")
    assert "sessions" not in caught.value.message


@pytest.mark.parametrize(
    "path",
    [
        "/proc/self/environ",
        "/proc/self/mem",
        "/proc/self/fd/0",
        "/proc/self/root/etc/passwd",
        "/proc/self/cwd/x",
        "/proc/thread-self/environ",
        "/proc/1/environ",
        "/dev/fd/0",
        "/dev/stdin",
        "/proc/kcore",
        "/proc/sys/kernel/hostname",
    ],
)
def test_processes_are_private(root: Path, path: str) -> None:
    ws = Disk(root / "ws", restricted=False)
    with pytest.raises(ToolError):
        ws.open_read(path)


def test_devices_are_no_files(root: Path) -> None:
    ws = Disk(root / "ws", restricted=False)
    for path in ("/dev/zero", "/dev/null", "/dev/tty"):
        for work in (ws.open_read, lambda path: ws.write(path, b"x")):
            with pytest.raises(ToolError) as caught:
                work(path)
            assert caught.value.kind in ("not_a_file", "not_found")


def test_facts_about_the_machine_are_readable(root: Path) -> None:
    ws = Disk(root / "ws", restricted=False)
    with ws.open_read("/proc/version") as file:
        assert file.read()


def test_a_walk_leaves_processes_out(root: Path) -> None:
    ws = Disk(root / "ws", restricted=False)
    with pytest.raises(OutsideWorkspace):
        ws.list("/proc/self")
    below = ws.walk("/", contents=False, prune=lambda entry: entry.path not in ("proc",))
    assert [entry.path for entry, _ in below] == ["proc"]
