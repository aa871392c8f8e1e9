"""Session keys are any text; each has one regular file of its own in the sessions folder."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nanobot._state.transcript import Transcript, file_name


def _use(folder: Path, key: str, text: str) -> list[str]:
    """Say something in a session, then open it again and return what was said in all."""
    with Transcript(folder, key) as transcript:
        list(transcript.read())
        transcript.append("said", {"text": text})
    with Transcript(folder, key) as transcript:
        return [record["text"] for record in transcript.read()]


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def _contained(tmp_path: Path, key: str) -> None:
    inner = tmp_path / "work" / "sessions"
    inner.mkdir(parents=True)
    (inner / ".workspace").write_text("marker")
    (inner / "index").write_text("marker")
    assert _use(inner, key, f"for {key!r}") == [f"for {key!r}"]
    made = _files(tmp_path) - {"work/sessions/.workspace", "work/sessions/index"}
    (name,) = made
    assert Path(name).parent == Path("work/sessions") and (tmp_path / name).is_file()
    assert (inner / ".workspace").read_text() == (inner / "index").read_text() == "marker"


def _distinct(tmp_path: Path, keys: list[str]) -> None:
    for key in keys:
        assert _use(tmp_path, key, key.encode("utf-8", "replace").hex()) == [
            key.encode("utf-8", "replace").hex()
        ]
    names = {name.casefold() for name in _files(tmp_path)}
    assert len(names) == len(set(keys)), "names differ in more than case"


def test_corpus(corpus: Any, tmp_path: Path) -> None:
    kinds = set()
    for item in corpus("session_ids"):
        folder = tmp_path / item["id"]
        folder.mkdir()
        kinds.add(item["expected"])
        if item["expected"] == "contained":
            _contained(folder, item["input"])
        else:
            assert item["expected"] == "distinct"
            _distinct(folder, item["input"])
    assert kinds == {"contained", "distinct"}


@pytest.mark.parametrize(
    "key",
    [
        "",
        "\x00",
        "\n",
        "\ud800",
        "a\udfffb",
        "é" * 300,
        "😀" * 5000,
        "CON",
        "~root",
        "a/../..",
        ".",
    ],
)
def test_more_keys(tmp_path: Path, key: str) -> None:
    _contained(tmp_path, key)


@pytest.mark.parametrize(
    "keys",
    [
        ["cli:Direct", "cli:direct", "CLI:DIRECT"],
        ["", "session"],
        ["a\ud800", "a\ud801", "a?"],
        ["a" * 255, "a" * 256],
        ["straße", "strasse", "STRASSE"],
        ["a b", "a-b", "a_b", "a--b"],
    ],
)
def test_keys_that_look_alike_are_apart(tmp_path: Path, keys: list[str]) -> None:
    _distinct(tmp_path, keys)


@given(st.text(max_size=300))
def test_a_file_name_is_safe_on_any_disk(key: str) -> None:
    name = file_name(key)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*\.jsonl", name) and len(os.fsencode(name)) < 100
    assert name == file_name(key)
    stem = name.removesuffix(".jsonl").rpartition("-")[0]
    assert stem.isascii() and len(stem) <= 48
