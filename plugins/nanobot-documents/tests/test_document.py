"""A document is read without harm and replaced in one step."""

from __future__ import annotations

import json
import os
import stat
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nanobot_documents import document
from nanobot_documents.document import Changed, Document, DocumentError, good_copy

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**99), 10**99)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def put(path: Path, data: Any, mode: int = 0o600) -> Path:
    path.write_text(json.dumps(data))
    path.chmod(mode)
    return path


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


@settings(deadline=None)  # a busy machine is no defect
@given(st.dictionaries(st.text(), VALUES))
def test_what_is_saved_is_read_back(data: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "settings.json"
        saved = Document.read(path).save(data)
        assert Document.read(path) == saved
        assert saved.data == data


def test_a_missing_file_is_empty_and_stays_missing(path: Path) -> None:
    missing = Document.read(path)
    assert (missing.data, missing.digest) == ({}, "")
    missing.keep_good()
    assert names(path.parent) == []


def test_a_dangling_link_is_a_missing_file(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere.json")
    assert Document.read(path).data == {}


def test_a_named_pipe_is_refused_at_once(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(DocumentError, match="is not a file") as caught:
        Document.read(path)
    assert caught.value.remedy
    with pytest.raises(DocumentError, match="is not a file"):
        Document(path=path, data={}).save({})


def test_a_folder_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(DocumentError, match="can not be read: Is a directory"):
        Document.read(path)


def test_a_document_has_at_most_8_mib(path: Path) -> None:
    around = len(b'{"a":""}')
    path.write_bytes(b'{"a":"' + b"x" * ((8 << 20) - around) + b'"}')
    assert len(Document.read(path).data["a"]) == (8 << 20) - around
    path.write_bytes(b'{"a":"' + b"x" * ((8 << 20) - around + 1) + b'"}')
    with pytest.raises(DocumentError, match="larger than 8 MiB"):
        Document.read(path)


def test_a_document_too_large_is_not_saved(path: Path) -> None:
    read = Document.read(put(path, {}))
    with pytest.raises(DocumentError, match="larger than 8 MiB"):
        read.save({"a": "x" * (8 << 20)})
    assert json.loads(path.read_text()) == {}


def test_an_unreadable_file_is_refused_with_the_reason(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(path, {})

    def refuse(*args: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DocumentError, match=r"settings\.json: can not be read: Permission denied"):
        Document.read(path)


@pytest.mark.parametrize(
    ("content", "message", "line", "column"),
    [
        (b"", "the file is empty", 1, 1),
        (b" \n", "the file is empty", 2, 1),
        (b"[]", "should be an object, found a list", 1, 1),
        (b'{"a": 1,\n "a": 2}', "the same key twice", 2, 2),
        (b'{"CANARY" 1}', "Expecting ':'", 1, 11),
    ],
)
def test_a_broken_file_is_refused_with_the_place(
    path: Path, content: bytes, message: str, line: int, column: int
) -> None:
    path.write_bytes(content)
    with pytest.raises(DocumentError, match=message) as caught:
        Document.read(path)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert str(caught.value).endswith(f"(line {line}, column {column})")
    assert "CANARY" not in str(caught.value)
    assert path.read_bytes() == content


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o666, 0o604, 0o777])
def test_a_file_open_to_others_is_closed(path: Path, mode: int) -> None:
    found = Document.read(put(path, {}, mode))
    assert (found.exposed, found.closed) == (mode, True)
    assert mode_of(path) == 0o600
    again = Document.read(path)
    assert (again.exposed, again.closed) == (0, False)


def test_a_mode_that_can_not_be_changed_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchmod", refuse)
    found = Document.read(put(path, {}, 0o644))
    assert (found.exposed, found.closed) == (0o644, False)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_closed_to_others_is_left_alone(path: Path, mode: int) -> None:
    assert Document.read(put(path, {}, mode)).exposed == 0
    assert mode_of(path) == mode


def test_what_worked_is_kept_and_named_when_the_file_breaks(path: Path) -> None:
    good = good_copy(put(path, {"a": 1}))
    Document.read(path).keep_good()
    assert good.read_bytes() == path.read_bytes()
    assert mode_of(good) == 0o600
    kept = good.stat()
    Document.read(path).keep_good()
    assert (good.stat().st_ino, good.stat().st_mtime_ns) == (kept.st_ino, kept.st_mtime_ns)
    path.write_text("{")
    with pytest.raises(DocumentError) as caught:
        Document.read(path)
    assert caught.value.remedy == f"The last version that worked is {good}."
    Document.read(put(path, {"a": 2})).keep_good()
    assert good.read_bytes() == path.read_bytes()


def test_a_broken_file_without_a_copy_names_none(path: Path) -> None:
    path.write_text("{")
    with pytest.raises(DocumentError) as caught:
        Document.read(path)
    assert caught.value.remedy == ""


def test_what_changed_since_is_not_kept_as_good(path: Path) -> None:
    read = Document.read(put(path, {"a": 1}))
    for change in (lambda: put(path, {"theirs": 1}), path.unlink):
        change()
        read.keep_good()
        assert not good_copy(path).exists()


def test_a_full_disk_keeps_no_copy_and_saves_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    read = Document.read(put(path, {}))
    monkeypatch.setattr(os, "fsync", full)
    read.keep_good()
    with pytest.raises(DocumentError, match="can not be written: No space left"):
        read.save({"a": 1})
    assert json.loads(path.read_text()) == {}
    assert names(path.parent) == [path.name]


def test_saving_writes_indented_utf8_with_mode_0600(path: Path) -> None:
    saved = Document.read(put(path, {})).save({"a": {"b": "Ünï 🐈"}})
    assert path.read_text(encoding="utf-8") == '{\n  "a": {\n    "b": "Ünï 🐈"\n  }\n}\n'
    assert mode_of(path) == 0o600
    assert saved.save({"b": 1}).data == {"b": 1}
    assert names(path.parent) == [path.name]


def test_saving_a_new_document_makes_private_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "settings.json"
    Document.read(path).save({})
    assert mode_of(path) == 0o600
    assert mode_of(path.parent) == mode_of(path.parent.parent) == 0o700


def test_saving_through_a_link_keeps_the_link(path: Path, tmp_path: Path) -> None:
    real = put(tmp_path / "dotfiles.json", {})
    path.symlink_to(real)
    Document.read(path).save({"a": 1})
    assert path.is_symlink()
    assert json.loads(real.read_text()) == {"a": 1}


@pytest.mark.parametrize("start", [None, {}])
def test_saving_over_somebody_elses_change_is_refused(path: Path, start: Any) -> None:
    if start is not None:
        put(path, start)
    read = Document.read(path)
    put(path, {"theirs": 1})
    with pytest.raises(Changed, match="was changed by someone else") as caught:
        read.save({"mine": 1})
    assert caught.value.remedy
    assert json.loads(path.read_text()) == {"theirs": 1}


def test_saving_what_was_removed_meanwhile_is_refused(path: Path) -> None:
    read = Document.read(put(path, {}))
    path.unlink()
    with pytest.raises(Changed):
        read.save({})
    path.parent.rmdir()
    with pytest.raises(Changed):
        read.save({})
    assert not path.parent.exists()


@pytest.mark.parametrize("exists", [False, True])
def test_of_many_who_save_at_once_one_succeeds(path: Path, exists: bool) -> None:
    read = Document.read(put(path, {}) if exists else path)
    start = threading.Barrier(8)
    won: list[int] = []

    def save(number: int) -> None:
        start.wait()
        try:
            read.save({"winner": number})
        except Changed:
            return
        won.append(number)

    threads = [threading.Thread(target=save, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert json.loads(path.read_text()) == {"winner": won[0]}
    assert names(path.parent) == [path.name]


def test_whoever_saves_holds_the_lock_from_comparing_to_replacing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second one that comes in between waits, and is then told of the change."""
    read = Document.read(path)
    replaced = document.write_private
    told: list[DocumentError] = []

    def second() -> None:
        try:
            read.save({"second": 1})
        except Changed as refused:
            told.append(refused)

    thread = threading.Thread(target=second)

    def between(target: Path, content: bytes) -> None:
        monkeypatch.setattr(document, "write_private", replaced)
        thread.start()
        replaced(target, content)

    monkeypatch.setattr(document, "write_private", between)
    read.save({"first": 1})
    thread.join()
    assert len(told) == 1
    assert json.loads(path.read_text()) == {"first": 1}


@pytest.mark.parametrize(
    "data",
    [
        {"a": float("nan")},
        {"a": "\ud800"},
        {"a": object()},
        {"a": 10**101},
        {1: "a", "1": "b"},
        {"a": json.loads("[" * 64 + "]" * 64)},
    ],
    ids=["nan", "surrogate", "object", "large", "twice", "deep"],
)
def test_what_could_not_be_read_back_is_refused(path: Path, data: Any) -> None:
    read = Document.read(put(path, {}))
    with pytest.raises(ValueError, match="JSON can not hold"):
        read.save(data)
    assert json.loads(path.read_text()) == {}


def test_a_document_does_not_show_its_content(path: Path) -> None:
    assert "CANARY" not in repr(Document.read(put(path, {"apiKey": "CANARY-KEY"})))


def test_a_subclass_stays_one(path: Path) -> None:
    class Settings(Document):
        __slots__ = ()

    assert type(Settings.read(path).save({})) is Settings
