"""A file is replaced in one step, whatever happens in between, and is private."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nanobot_documents.writing import private_dir, write_private

STEPS = ("open", "fsync", "replace")

CRASH = """
import os, sys
from pathlib import Path
from nanobot_documents.writing import write_private

step, when, path = sys.argv[1:]
original = getattr(os, step)

def crash(*args, **kwargs):
    if when == "after":
        original(*args, **kwargs)
    os._exit(7)

setattr(os, step, crash)
write_private(Path(path), b"new" * 100_000)
"""


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_crash_leaves_the_old_content_or_the_new(tmp_path: Path, step: str, when: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    command = [sys.executable, "-c", CRASH, step, when, str(path)]
    assert subprocess.run(command, timeout=60).returncode == 7
    replaced = (step, when) == ("replace", "after")
    assert path.read_bytes() == (b"new" * 100_000 if replaced else b"old")
    write_private(path, b"next")
    assert path.read_bytes() == b"next"


@settings(deadline=None)  # a busy machine is no defect
@given(
    old=st.none() | st.binary(),
    new=st.binary(),
    step=st.sampled_from(STEPS),
    after=st.booleans(),
    fault=st.sampled_from([OSError, KeyboardInterrupt]),
)
def test_a_fault_leaves_the_old_content_or_the_new(
    old: bytes | None, new: bytes, step: str, after: bool, fault: type[BaseException]
) -> None:
    original = getattr(os, step)

    def fail(*args: object, **more: object) -> None:
        if after:
            descriptor = original(*args, **more)
            if step == "open":
                os.close(descriptor)
        raise fault

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder) / "file"
        if old is not None:
            path.write_bytes(old)
        patch.setattr(os, step, fail)
        with pytest.raises(fault):
            write_private(path, new)
        patch.undo()
        now = path.read_bytes() if path.exists() else None
        assert now == (new if after and step == "replace" else old)
        assert [item.name for item in Path(folder).iterdir()] == ["file"] * (now is not None)


def test_a_file_gets_mode_0600_and_its_folders_0700(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    write_private(path, b"1")
    assert mode_of(path) == 0o600
    assert mode_of(tmp_path / "a") == mode_of(tmp_path / "a" / "b") == 0o700
    path.chmod(0o644)
    write_private(path, b"2")
    assert mode_of(path) == 0o600


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"other")
    path = tmp_path / "file"
    path.symlink_to(other)
    write_private(path, b"new")
    assert not path.is_symlink()
    assert (path.read_bytes(), other.read_bytes()) == (b"new", b"other")


def test_many_who_write_the_same_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = [bytes([65 + number]) * 200_000 for number in range(8)]
    failed: list[BaseException] = []

    def write(content: bytes) -> None:
        try:
            write_private(path, content)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert path.read_bytes() in contents
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    folder.chmod(0o755)
    assert private_dir(folder) == folder
    assert mode_of(folder) == 0o755
    assert mode_of(private_dir(folder / "b" / "c").parent) == 0o700
