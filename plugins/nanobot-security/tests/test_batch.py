"""Changes that happen together or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nanobot.errors import OutsideWorkspace, ToolError
from nanobot_security import Disk, _kernel


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    """Return every path with its mode and content."""
    return {
        str(path.relative_to(root)): (
            stat.S_IMODE(path.lstat().st_mode),
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(root.rglob("*"))
    }


@pytest.fixture
def ws(root: Path) -> Disk:
    (root / "ws/old.sh").write_text("old")
    (root / "ws/old.sh").chmod(0o750)
    (root / "ws/gone").write_text("gone")
    return Disk(root / "ws")


def test_all_at_once(ws: Disk, root: Path) -> None:
    with ws.batch() as batch:
        assert batch.write("a/b/new", b"new", mode=0o600) == (
            str(root / "ws/a"),
            str(root / "ws/a/b"),
        )
        assert batch.write("old.sh", b"changed") == ()
        batch.remove("gone")
        assert (root / "ws/old.sh").read_text() == "old", "nothing happens before the commit"
        batch.commit()
    assert tree(root / "ws") == {
        "a": (0o755, b""),
        "a/b": (0o755, b""),
        "a/b/new": (0o600, b"new"),
        "old.sh": (0o750, b"changed"),
        "sub": (0o755, b""),
    }


def test_a_refused_step_takes_everything_back(ws: Disk, root: Path) -> None:
    os.symlink("old.sh", root / "ws/link")
    before = tree(root)
    for path, kind in (
        ("../out/x", "outside_workspace"),
        ("sub", "not_a_file"),
        ("x/", "bad_path"),
    ):
        with pytest.raises(ToolError) as caught, ws.batch() as batch:
            batch.write("a/b/new", b"new")
            batch.write("old.sh", b"changed")
            batch.write(path, b"x")
        assert caught.value.kind == kind
        assert tree(root) == before
    for path, kind in (("missing", "not_found"), ("link", "not_a_file"), ("sub", "not_a_file")):
        with pytest.raises(ToolError) as caught, ws.batch() as batch:
            batch.write("a/new", b"new")
            batch.remove(path)
        assert caught.value.kind == kind
        assert tree(root) == before


def test_leaving_without_a_commit_changes_nothing(ws: Disk, root: Path) -> None:
    before = tree(root)
    with ws.batch() as batch:
        batch.write("a/new", b"new")
        batch.remove("gone")
    assert tree(root) == before


@pytest.mark.parametrize("failing", range(5))
@pytest.mark.parametrize("lacking", ["nothing", "exchange", "hard links"])
def test_a_step_that_fails_puts_everything_back(
    ws: Disk, root: Path, monkeypatch: pytest.MonkeyPatch, failing: int, lacking: str
) -> None:
    """Whatever the system refuses in the middle, the files are as they were."""
    before = tree(root)
    rename, exchange, count = os.rename, _kernel.exchange, 0

    def tick() -> None:
        nonlocal count
        count += 1
        if count - 1 == failing:
            raise OSError(28, "No space left on device")

    def full(source: str, target: str, **folders: int) -> None:
        tick()
        rename(source, target, **folders)

    def full_exchange(folder: int, one: str, other: str) -> bool:
        if lacking != "nothing":
            return False
        tick()
        return exchange(folder, one, other)

    def unknown(*args: object, **names: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(_kernel, "exchange", full_exchange)
    if lacking == "hard links":
        monkeypatch.setattr(os, "link", unknown)
    with pytest.raises(ToolError) as caught, ws.batch() as batch:
        batch.write("old.sh", b"changed")
        batch.write("a/new", b"new")
        batch.remove("gone")
        batch.write("sub/last", b"last")
        batch.write("sub/more", b"more")
        monkeypatch.setattr(os, "rename", full)
        batch.commit()
    monkeypatch.undo()
    assert caught.value.kind == "no_space"
    assert tree(root) == before


def test_what_somebody_else_changed_meanwhile_is_kept(ws: Disk, root: Path) -> None:
    for path, content in (("old.sh", "theirs"), ("new", "theirs")):
        with pytest.raises(ToolError) as caught, ws.batch() as batch:
            batch.remove("gone")
            batch.write(path, b"ours")
            (root / "ws" / path).write_text(content)
            batch.commit()
        assert (caught.value.kind, caught.value.retryable) == ("changed", True)
        assert (root / "ws" / path).read_text() == "theirs"
        assert (root / "ws/gone").read_text() == "gone"
    assert not [name for name in os.listdir(root / "ws") if name.endswith(".tmp")]


def test_descriptors_of_a_batch_are_closed(ws: Disk) -> None:
    before = len(os.listdir("/dev/fd"))
    for commit in (False, True):
        with ws.batch() as batch:
            batch.write("a/b/c", b"x")
            batch.remove("gone")
            if commit:
                batch.commit()
    assert len(os.listdir("/dev/fd")) == before


def test_a_batch_stays_inside(ws: Disk, root: Path) -> None:
    os.link(root / "out/secret.txt", root / "ws/hard")
    os.symlink(root / "out", root / "ws/link")
    for path in ("hard", "link/secret.txt", "../out/secret.txt"):
        with ws.batch() as batch:
            with pytest.raises(OutsideWorkspace):
                batch.write(path, b"x")
            with pytest.raises(OutsideWorkspace):
                batch.remove(path)
            batch.commit()
    assert (root / "out/secret.txt").read_text() == "CANARY"


NAMES = st.sampled_from(["f", "g", "d/f", "d/e/g", "sub/f"])
STEPS = st.dictionaries(NAMES, st.one_of(st.none(), st.binary(max_size=20)), max_size=5)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS, commit=st.booleans())
def test_any_batch_is_all_or_nothing(
    steps: dict[str, bytes | None], commit: bool, root: Path
) -> None:
    ws = Disk(root / "ws")
    before = tree(root / "ws")
    files = {
        name: content for name, (_, content) in before.items() if (root / "ws" / name).is_file()
    }
    try:
        with ws.batch() as batch:
            for name, data in steps.items():
                if data is None:
                    batch.remove(name)
                else:
                    batch.write(name, data)
                    files[name] = data
                if data is None:
                    files.pop(name, None)
            if commit:
                batch.commit()
    except ToolError as error:
        assert error.kind == "not_found"
        assert tree(root / "ws") == before
        return
    now = tree(root / "ws")
    if commit:
        assert {n: c for n, (_, c) in now.items() if (root / "ws" / n).is_file()} == files
    else:
        assert now == before
