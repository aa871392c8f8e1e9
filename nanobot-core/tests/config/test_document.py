"""The file is read without harm and replaced in one step, and what goes wrong is told."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from nanobot._config import load
from nanobot._config.document import read_document, save_document
from nanobot.errors import ConfigError
from nanobot_documents.document import good_copy


def put(path: Path, data: Any, mode: int = 0o600) -> Path:
    path.write_text(json.dumps(data))
    path.chmod(mode)
    return path


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_missing_file_is_empty_and_stays_missing(path: Path) -> None:
    assert read_document(path).data == {}
    load(path, environ={})
    assert list(path.parent.iterdir()) == []


def test_a_named_pipe_is_refused_at_once(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(ConfigError, match="is not a file"):
        read_document(path)


def test_a_file_too_large_is_refused(path: Path) -> None:
    path.write_bytes(b'{"a":"' + b"x" * (8 << 20) + b'"}')
    with pytest.raises(ConfigError, match="larger than 8 MiB"):
        read_document(path)


def test_an_unreadable_file_is_refused_with_the_reason(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(path, {})

    def refuse(*args: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ConfigError, match=r"config\.json: can not be read: Permission denied"):
        read_document(path)


@pytest.mark.parametrize("mode", [0o644, 0o666])
def test_a_file_open_to_others_is_closed(path: Path, mode: int) -> None:
    finding = read_document(put(path, {}, mode)).findings[0]
    assert finding.severity == "warning"
    assert f"{mode:04o}" in finding.message
    assert mode_of(path) == 0o600
    assert read_document(path).findings == ()


def test_a_mode_that_can_not_be_changed_is_reported(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchmod", refuse)
    finding = read_document(put(path, {}, 0o644)).findings[0]
    assert "chmod 600" in finding.remedy


def test_what_worked_is_kept_and_named_when_the_file_breaks(path: Path) -> None:
    good = good_copy(put(path, {"agents": {"defaults": {"model": "a"}}}))
    load(path, environ={})
    assert good.read_bytes() == path.read_bytes()
    assert mode_of(good) == 0o600
    kept = good.stat()
    load(path, environ={})
    assert (good.stat().st_ino, good.stat().st_mtime_ns) == (kept.st_ino, kept.st_mtime_ns)
    for broken in ("{", json.dumps({"agents": []})):
        path.write_text(broken)
        with pytest.raises(ConfigError) as caught:
            load(path, environ={})
        assert str(good) in caught.value.remedy
        assert good.read_text() != broken
    load(put(path, {"agents": {}}), environ={})
    assert good.read_bytes() == path.read_bytes()


def test_what_never_worked_is_not_kept(path: Path) -> None:
    put(path, {"agents": []})
    with pytest.raises(ConfigError) as caught:
        load(path, environ={})
    assert caught.value.remedy == ""
    assert [item.name for item in path.parent.iterdir()] == ["config.json"]


def test_a_full_disk_does_not_keep_it_from_loading(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nanobot_documents.document.write_private", full)
    document = load(put(path, {}), environ={}).document
    with pytest.raises(ConfigError, match="can not be written: No space left"):
        save_document(document, {"a": 1})
    assert json.loads(path.read_text()) == {}


def test_saving_writes_indented_utf8_with_mode_0600(path: Path) -> None:
    document = save_document(read_document(put(path, {})), {"agents": {"botName": "Ünï 🐈"}})
    assert path.read_text(encoding="utf-8") == '{\n  "agents": {\n    "botName": "Ünï 🐈"\n  }\n}\n'
    assert mode_of(path) == 0o600
    assert save_document(document, {"b": 1}).data == {"b": 1}
    assert [item.name for item in path.parent.iterdir()] == ["config.json"]


@pytest.mark.parametrize("start", [None, {}])
def test_saving_over_somebody_elses_change_is_refused(path: Path, start: Any) -> None:
    if start is not None:
        put(path, start)
    document = read_document(path)
    put(path, {"theirs": 1})
    with pytest.raises(ConfigError, match="was changed by someone else"):
        save_document(document, {"mine": 1})
    assert json.loads(path.read_text()) == {"theirs": 1}


@pytest.mark.parametrize("value", [float("nan"), "\ud800"])
def test_values_that_json_can_not_hold_are_refused(path: Path, value: object) -> None:
    document = read_document(put(path, {}))
    with pytest.raises(ConfigError, match="JSON can not hold"):
        save_document(document, {"a": value})
    assert json.loads(path.read_text()) == {}


def test_a_document_does_not_show_its_content(path: Path) -> None:
    put(path, {"providers": {"openai": {"apiKey": "CANARY-KEY"}}})
    assert "CANARY" not in repr(read_document(path))
    assert "CANARY" not in repr(load(path, environ={"TOKEN": "CANARY"}))
