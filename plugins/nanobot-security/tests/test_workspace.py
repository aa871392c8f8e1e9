"""What the disk guard lets tools do, and how it refuses the rest."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
from nanobot.errors import OutsideWorkspace, ToolError
from nanobot_security import Disk


@pytest.fixture
def ws(root: Path) -> Disk:
    return Disk(root / "ws")


def read(ws: Disk, path: str) -> bytes:
    with ws.open_read(path) as file:
        return file.read()


def refused(work: object, *args: object) -> ToolError:
    with pytest.raises(ToolError) as caught:
        work(*args)  # type: ignore[operator]
    return caught.value


def test_write_and_read(ws: Disk, root: Path) -> None:
    ws.write("a/b/c.txt", b"one")
    ws.write("a/b/c.txt", b"two")
    assert read(ws, "a/b/c.txt") == b"two"
    assert os.listdir(root / "ws/a/b") == ["c.txt"], "no temporary file stays"


@pytest.mark.parametrize("path", ["{ws}/f", "{ws}//sub/../f", "~/ws/f", "./f", "sub/../f", "f"])
def test_every_way_to_name_a_file_inside(
    ws: Disk, root: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(root))
    (root / "ws" / "f").write_text("ok")
    assert read(ws, path.replace("{ws}", str(root / "ws"))) == b"ok"


def test_a_root_that_is_a_link(root: Path) -> None:
    os.symlink("ws", root / "alias")
    (root / "ws" / "f").write_text("ok")
    ws = Disk(root / "alias")
    assert read(ws, "f") == b"ok"
    assert read(ws, str(root / "alias/f")) == b"ok"
    assert read(ws, str(root / "ws/f")) == b"ok"
    assert isinstance(refused(ws.open_read, "../out/secret.txt"), OutsideWorkspace)


def test_links_that_stay_inside_are_followed(ws: Disk, root: Path) -> None:
    (root / "ws" / "f").write_text("ok")
    os.symlink("../f", root / "ws/sub/relative")
    os.symlink(root / "ws/f", root / "ws/sub/absolute")
    os.symlink("sub", root / "ws/folder")
    for path in ("sub/relative", "sub/absolute", "folder/relative", "folder/../f"):
        assert read(ws, path) == b"ok"
    assert ws.stat("folder").kind == "dir"
    ws.write("sub/relative", b"new")
    assert (root / "ws/f").read_bytes() == b"new"
    assert (root / "ws/sub/relative").is_symlink()
    os.symlink("../made", root / "ws/sub/dangling")
    ws.write("sub/dangling", b"made")
    assert (root / "ws/made").read_bytes() == b"made"


def test_refusals_name_the_boundary(ws: Disk, root: Path) -> None:
    error = refused(ws.open_read, "../out/secret.txt")
    assert isinstance(error, OutsideWorkspace)
    assert error.kind == "outside_workspace"
    assert error.target == str(root / "out/secret.txt")
    assert "is outside the workspace" in error.message
    assert "hard policy boundary" in error.message


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("", "bad_path"),
        (" ", "bad_path"),
        ("a\0b", "bad_path"),
        ("\ud800", "bad_path"),
        ("x" * 300, "bad_path"),
        ("x" * 70_000, "bad_path"),
        ("x/" * 40_000, "bad_path"),
        ("x/" * 300, "bad_path"),
        ("loop", "bad_path"),
        ("missing", "not_found"),
        ("missing/../f", "not_found"),
        ("f/below", "not_a_dir"),
        ("sub", "not_a_file"),
        (".", "not_a_file"),
        ("fifo", "not_a_file"),
        ("socket", "not_a_file"),
    ],
)
def test_kinds_of_refusal(
    ws: Disk, root: Path, path: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root / "ws")
    (root / "ws/f").touch()
    os.mkfifo("fifo")
    os.symlink("loop", "loop")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert refused(ws.open_read, path).kind == kind
        if kind != "not_found":
            assert refused(ws.write, path, b"x").kind in (kind, "not_a_file")
    assert sorted(os.listdir(root / "ws")) == ["f", "fifo", "loop", "socket", "sub"]


def test_a_missing_name_brings_similar_ones(ws: Disk, root: Path) -> None:
    (root / "ws/sub/README.md").touch()
    assert "'sub/README.md'" in refused(ws.open_read, "sub/readme.txt").message
    assert "Did you mean" not in refused(ws.open_read, "sub/qqqq").message


def test_a_missing_root_is_said(root: Path) -> None:
    for restricted in (True, False):
        ws = Disk(root / "nowhere", restricted=restricted)
        error = refused(ws.list, ".")
        assert error.kind == "no_workspace"
        assert str(root / "nowhere") in error.message


def test_hard_links_are_refused_when_restricted(ws: Disk, root: Path) -> None:
    os.link(root / "out/secret.txt", root / "ws/hard.txt")
    assert isinstance(refused(ws.open_read, "hard.txt"), OutsideWorkspace)
    assert isinstance(refused(ws.write, "hard.txt", b"x"), OutsideWorkspace)
    assert [file for entry, file in ws.walk(".") if entry.path == "hard.txt"] == [None]
    assert (root / "out/secret.txt").read_text() == "CANARY"
    assert read(Disk(root / "ws", restricted=False), "hard.txt") == b"CANARY"


def test_two_names_of_one_place_are_one_target(ws: Disk, root: Path) -> None:
    secret = root / "out/secret.txt"
    for name in ("one", "two"):
        os.symlink(secret, root / "ws" / name)
        os.link(secret, root / "ws/sub" / name)
    links = {refused(ws.open_read, path).target for path in ("one", "two", str(secret))}
    assert links == {str(secret)}
    hard = [refused(ws.open_read, f"sub/{name}").target for name in ("two", "one", "two")]
    assert hard == [str(root / "ws/sub/two")] * 3
    refused(ws.write, "sub/one", b"x")
    assert secret.read_text() == "CANARY"


def test_folders_are_removed_when_empty(ws: Disk, root: Path) -> None:
    ws.write("a/b/f", b"x")
    assert refused(ws.remove_folder, "a").kind == "not_empty"
    ws.remove("a/b/f")
    ws.remove_folder("a/b")
    ws.remove_folder("a")
    assert os.listdir(root / "ws") == ["sub"]
    assert refused(ws.remove_folder, "a").kind == "not_found"
    os.symlink(root / "out", root / "ws/link")
    assert refused(ws.remove_folder, "link").kind == "not_a_dir"
    assert isinstance(refused(ws.remove_folder, "../out"), OutsideWorkspace)


def test_modes(ws: Disk, root: Path) -> None:
    before = os.umask(0o027)
    try:
        ws.write("new.txt", b"x")
        (root / "ws/old.sh").touch(mode=0o700)
        ws.write("old.sh", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((root / "ws/new.txt").stat().st_mode) == 0o640
    assert stat.S_IMODE((root / "ws/old.sh").stat().st_mode) == 0o700
    ws.write("old.sh", b"x", mode=0o4755)
    assert ws.stat("old.sh").mode == 0o755


def test_a_failed_write_loses_nothing(
    ws: Disk, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "ws/f").write_text("old")

    def full(*args: object, **names: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    error = refused(ws.write, "f", b"new")
    assert (error.kind, error.retryable) == ("no_space", True)
    assert os.listdir(root / "ws") in (["f", "sub"], ["sub", "f"])
    assert (root / "ws/f").read_text() == "old"


def test_a_refused_write_makes_no_folders(ws: Disk, root: Path) -> None:
    for path in ("new/../../out/x", "new/../../../x", "file/"):
        refused(ws.write, path, b"x")
    assert os.listdir(root / "ws") == ["sub"]


def test_remove(ws: Disk, root: Path) -> None:
    (root / "ws/f").touch()
    os.symlink(root / "out/secret.txt", root / "ws/link")
    ws.remove("f")
    ws.remove("link")
    assert os.listdir(root / "ws") == ["sub"]
    assert refused(ws.remove, "f").kind == "not_found"
    assert refused(ws.remove, "sub").kind == "not_a_file"
    assert isinstance(refused(ws.remove, "../out/secret.txt"), OutsideWorkspace)
    assert (root / "out/secret.txt").exists()


def test_rename(ws: Disk, root: Path) -> None:
    (root / "ws/f").write_text("f")
    (root / "ws/g").write_text("g")
    ws.rename("f", "new/f")
    assert (root / "ws/new/f").read_text() == "f"
    assert refused(ws.rename, "new/f", "g").kind == "exists"
    assert refused(ws.rename, "sub", "sub2").kind == "not_a_file"
    missing = refused(ws.rename, "missing", "other/h")
    assert (missing.kind, missing.target) == ("not_found", "missing")
    assert not (root / "ws/other").exists()
    assert isinstance(refused(ws.rename, "g", "../out/g"), OutsideWorkspace)
    assert isinstance(refused(ws.rename, "../out/secret.txt", "g2"), OutsideWorkspace)
    assert (root / "ws/g").read_text() == "g"


def test_rename_where_hard_links_are_not_known(
    ws: Disk, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*args: object, **names: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", unknown)
    (root / "ws/f").write_text("f")
    ws.rename("f", "g")
    assert (root / "ws/g").read_text() == "f"


def test_list_and_walk(ws: Disk, root: Path) -> None:
    ws.write("sub/b.txt", b"bb")
    ws.write("a.txt", b"a")
    os.symlink(root / "out", root / "ws/link")
    os.mkfifo(root / "ws/sub/fifo")
    assert [(e.path, e.kind, e.size) for e in ws.list(".") if e.kind == "file"] == [
        ("a.txt", "file", 1)
    ]
    walked = [
        (entry.path, entry.kind, file.read() if file else None) for entry, file in ws.walk(".")
    ]
    assert walked == [
        ("a.txt", "file", b"a"),
        ("link", "link", None),
        ("sub", "dir", None),
        ("sub/b.txt", "file", b"bb"),
        ("sub/fifo", "other", None),
    ]
    assert [entry.path for entry, _ in ws.walk("sub")] == ["b.txt", "fifo"]
    pruned = ws.walk(".", contents=False, prune=lambda entry: entry.kind == "dir")
    assert [(entry.path, file) for entry, file in pruned] == [("a.txt", None), ("link", None)]
    assert refused(ws.list, "a.txt").kind == "not_a_dir"
    assert isinstance(refused(ws.list, "link"), OutsideWorkspace)
    assert isinstance(refused(lambda: next(ws.walk(".."))), OutsideWorkspace)


def test_a_walk_ends_somewhere(ws: Disk, root: Path) -> None:
    here = os.getcwd()
    os.chdir(root / "ws")
    try:
        for _ in range(300):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(here)
    assert 10 < len(list(ws.walk("."))) < 100


def test_names_that_are_no_utf_8(ws: Disk, root: Path) -> None:
    os.mkdir(os.fsencode(root) + b"/ws/\xff")
    (root / "ws").joinpath(os.fsdecode(b"\xff"), "f").touch()
    assert [entry.path for entry, _ in ws.walk(".")] == ["sub", "\ufffd", "\ufffd/f"]


def test_descriptors_are_closed(ws: Disk, root: Path) -> None:
    ws.write("sub/f", b"x")
    os.symlink(root / "ws/sub/f", root / "ws/link")
    before = len(os.listdir("/dev/fd"))
    for path in ("sub/f", "link", "../out", "missing", "fifo", "sub", "a/../../b"):
        for work in (ws.stat, ws.list, ws.remove, lambda p: ws.open_read(p).close()):
            if (path, work) == ("sub/f", ws.remove):
                continue
            try:
                work(path)
            except ToolError:
                continue
    walk = ws.walk(".")
    next(walk)
    walk.close()  # type: ignore[attr-defined]
    assert len(os.listdir("/dev/fd")) == before


def test_inside(root: Path) -> None:
    (root / "ws/f").touch()
    os.symlink(root / "out/secret.txt", root / "ws/link")
    ws = Disk(root / "ws", restricted=False)
    inside = {path: ws.is_inside(path) for path in (".", "f", "sub", "link", "..", "missing")}
    assert inside == {
        ".": True,
        "f": True,
        "sub": True,
        "link": False,
        "..": False,
        "missing": False,
    }
    own, foreign = ws.open("f"), ws.open("link")
    with own.file, foreign.file:
        assert (own.inside, foreign.inside) == (True, False)


def test_a_folder_for_a_program(ws: Disk, root: Path) -> None:
    (root / "ws/sub/f").touch()
    with ws.folder("sub") as descriptor:
        assert os.listdir(descriptor) == ["f"]
    os.symlink(root / "out", root / "ws/link")
    for path in ("link", "../out"):
        with pytest.raises(OutsideWorkspace), ws.folder(path):
            raise AssertionError("it was opened")
