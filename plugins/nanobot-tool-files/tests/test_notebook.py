"""Notebooks: shown by cells, and edited by cell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK: dict[str, Any] = {
    "cells": [
        {"id": "a", "cell_type": "markdown", "metadata": {}, "source": ["# Title\n", "text"]},
        {
            "id": "b",
            "cell_type": "code",
            "metadata": {"tags": ["keep"]},
            "source": "print(1)",
            "execution_count": 3,
            "outputs": [
                {"output_type": "stream", "name": "stdout", "text": ["1\n"]},
                {
                    "output_type": "display_data",
                    "metadata": {},
                    "data": {"image/png": "AAAA", "text/plain": "<Figure>"},
                },
                {"output_type": "error", "ename": "E", "evalue": "bad", "traceback": []},
            ],
        },
    ],
    "metadata": {"kernelspec": {"name": "python3"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.fixture
def book(workspace: Path) -> Path:
    path = workspace / "book.ipynb"
    path.write_text(json.dumps(NOTEBOOK))
    return path


def test_cells_are_shown(book: Path, call: Any) -> None:
    text = call("read_file", path="book.ipynb").text
    assert [line.partition("| ")[2] for line in text.split("\n")[:11]] == [
        "--- Cell 0 (markdown) ---",
        "# Title",
        "text",
        "--- Cell 1 (code) ---",
        "print(1)",
        "[output]",
        "1",
        "",
        "[output]",
        "(image/png)",
        "<Figure>",
    ]
    assert "E: bad" in text
    assert text.endswith("13 lines total)")


def test_a_cell_is_replaced(book: Path, call: Any) -> None:
    result = call("notebook_edit", path="book.ipynb", cell_index=1, new_source="a = 1\nprint(a)")
    assert result.text.endswith("Replaced cell 1 in book.ipynb (2 cells)")
    made = json.loads(book.read_text())
    assert made["cells"][0] == NOTEBOOK["cells"][0]
    assert made["cells"][1] == {
        "id": "b",
        "cell_type": "code",
        "metadata": {"tags": ["keep"]},
        "source": ["a = 1\n", "print(a)"],
        "execution_count": None,
        "outputs": [],
    }
    assert {**made, "cells": []} == {**NOTEBOOK, "cells": []}


def test_cells_are_inserted_and_deleted(book: Path, call: Any) -> None:
    call("notebook_edit", path="book.ipynb", cell_index=0, new_source="x", edit_mode="insert")
    call(
        "notebook_edit",
        **{"path": "book.ipynb", "new_source": "end", "edit_mode": "insert"},
        cell_type="markdown",
    )
    call("notebook_edit", path="book.ipynb", cell_index=1, edit_mode="delete")
    cells = json.loads(book.read_text())["cells"]
    assert [cell["source"] for cell in cells] == [["x"], "print(1)", ["end"]]
    assert [cell["cell_type"] for cell in cells] == ["code", "code", "markdown"]
    assert len({cell["id"] for cell in cells}) == 3
    assert "outputs" in cells[0] and "outputs" not in cells[2]


def test_a_new_notebook(workspace: Path, call: Any) -> None:
    call("notebook_edit", path="n/new.ipynb", new_source="1", edit_mode="insert")
    made = json.loads((workspace / "n/new.ipynb").read_text())
    assert made["nbformat"] == 4
    assert [cell["source"] for cell in made["cells"]] == [["1"]]


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"cell_index": 2, "new_source": "x"}, "out_of_range"),
        ({"cell_index": 2, "edit_mode": "delete"}, "out_of_range"),
        ({"cell_index": 3, "new_source": "x", "edit_mode": "insert"}, "out_of_range"),
        ({"cell_index": 0}, "bad_argument"),
        ({"cell_index": 0, "new_source": "x", "cell_type": "html"}, "bad_argument"),
        ({"cell_index": 0, "new_source": "x", "edit_mode": "swap"}, "bad_argument"),
        ({"cell_index": 0, "new_source": "x", "view": "0000000000"}, "stale"),
        ({"cell_index": 0, "new_source": "\ud800"}, "bad_content"),
        ({"path": "missing.ipynb", "cell_index": 0, "new_source": "x"}, "not_found"),
    ],
)
def test_bad_edits_change_nothing(
    book: Path, call: Any, arguments: dict[str, Any], kind: str
) -> None:
    before = book.read_bytes()
    assert call("notebook_edit", **{"path": "book.ipynb", **arguments}).kind == kind
    assert book.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    ["[" * 100_000, "{", "[]", "{}", '{"nbformat": 3}', '{"nbformat": 4, "cells": [1]}', "\x00"],
)
def test_what_is_no_notebook_is_refused(workspace: Path, call: Any, content: str) -> None:
    (workspace / "bad.ipynb").write_text(content)
    assert call("read_file", path="bad.ipynb").kind in ("bad_content", "binary")
    result = call("notebook_edit", path="bad.ipynb", cell_index=0, new_source="x")
    assert result.kind == "bad_content"
    assert (workspace / "bad.ipynb").read_text() == content
