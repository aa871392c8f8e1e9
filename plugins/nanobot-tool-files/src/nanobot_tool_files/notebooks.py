"""Jupyter notebooks: shown cell by cell, and edited by cell."""

from __future__ import annotations

import json
import secrets
from typing import Any

from nanobot.errors import ToolError
from nanobot.messages import ToolResult, Turn

from nanobot_tool_files.arguments import Arguments
from nanobot_tool_files.changes import Changes, view_of
from nanobot_tool_files.content import encode
from nanobot_tool_files.seen import SeenFiles
from nanobot_tool_files.walking import Stop, check

MAX_NOTEBOOK = 10 * 1024 * 1024
_MAX_OUTPUT = 10_000  # characters shown of one output
_KINDS = ("code", "markdown", "raw")


def is_notebook(path: str) -> bool:
    """Tell whether a path names a notebook."""
    return path.lower().endswith(".ipynb")


def load(path: str, data: bytes) -> dict[str, Any]:
    """Return a notebook of format 4; a `ToolError` says why it is none."""
    if len(data) > MAX_NOTEBOOK:
        raise ToolError(
            f"the notebook '{path}' is larger than {MAX_NOTEBOOK:,} bytes.",
            kind="too_large",
            target=path,
        )
    try:
        notebook = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise _broken(path, "it is no JSON in UTF-8") from None
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4:
        raise _broken(path, "only notebooks of format 4 can be read")
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise _broken(path, "it has no list of cells")
    return notebook


def show(notebook: dict[str, Any]) -> str:
    """Return the cells with their outputs, as text."""
    out = []
    for number, cell in enumerate(notebook["cells"]):
        out.append(f"--- Cell {number} ({cell.get('cell_type', 'unknown')}) ---")
        out.append(_text(cell.get("source")))
        outputs = cell.get("outputs")
        for output in outputs if isinstance(outputs, list) else []:
            text = _output(output) if isinstance(output, dict) else ""
            if text:
                more = f"\n... ({len(text):,} characters)" if len(text) > _MAX_OUTPUT else ""
                out.append(f"[output]\n{text[:_MAX_OUTPUT]}{more}")
    return "\n".join(out)


class NotebookEditor:
    """Serves notebook_edit.

    Args:
        seen: What sessions have read.
        changes: The way to the disk.
    """

    def __init__(self, seen: SeenFiles, changes: Changes) -> None:
        self._seen = seen
        self._changes = changes

    def edit(self, arguments: Arguments, turn: Turn, stop: Stop) -> ToolResult:
        """Replace, insert or delete one cell."""
        path = arguments.text("path")
        mode = arguments.choice("edit_mode", "replace", "insert", "delete")
        with self._changes.batch(turn) as files:
            check(stop)
            current = files.read(path) if mode == "insert" else files.existing(path)
            if current is None:
                notebook, warning = _empty(), ""
            else:
                data = current.content(path)
                notebook = load(path, data)
                given = arguments.text("view", "")
                warning = self._seen.warning(turn, path, view_of(data), given=given)
            done = _change(notebook, path, mode, arguments)
            text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
            made = encode(path, text)
            files.write(path, made)
        self._seen.note_write(turn, path, view_of(made))
        return ToolResult.ok(f"{warning}{done} in {path} ({len(notebook['cells'])} cells)")


def _change(notebook: dict[str, Any], path: str, mode: str, arguments: Arguments) -> str:
    cells = notebook["cells"]
    last = len(cells) - (mode != "insert")
    if last < 0:
        raise ToolError(f"'{path}' has no cells.", kind="out_of_range", target=path)
    number = arguments.number("cell_index", last, least=0)
    if number > last:
        raise ToolError(
            f"'{path}' has {len(cells)} cells, counted from 0; there is no place {number}.",
            kind="out_of_range",
            target=path,
        )
    if mode == "delete":
        del cells[number]
        return f"Deleted cell {number}"
    source = arguments.text("new_source").splitlines(keepends=True)
    kind = arguments.text("cell_type", "")
    if kind and kind not in _KINDS:
        raise ToolError(f"'cell_type' must be one of {', '.join(_KINDS)}.", kind="bad_argument")
    if mode == "insert":
        cell: dict[str, Any] = {"cell_type": kind or "code", "metadata": {}}
        if notebook.get("nbformat_minor", 0) >= 5:
            cell = {"id": secrets.token_hex(4), **cell}
        cells.insert(number, cell)
    cell = cells[number]
    cell["cell_type"] = kind or cell.get("cell_type", "code")
    cell["source"] = source
    if cell["cell_type"] == "code":  # what it gave belongs to the old source
        cell["outputs"], cell["execution_count"] = [], None
    else:
        cell.pop("outputs", None)
        cell.pop("execution_count", None)
    return f"{'Inserted' if mode == 'insert' else 'Replaced'} cell {number}"


def _empty() -> dict[str, Any]:
    return {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def _text(source: object) -> str:
    """Return a text that may be stored as a list of lines."""
    parts = source if isinstance(source, list) else [source]
    return "".join(part for part in parts if isinstance(part, str))


def _output(output: dict[str, Any]) -> str:
    if output.get("output_type") == "error":
        return f"{_text(output.get('ename'))}: {_text(output.get('evalue'))}"
    if "text" in output:
        return _text(output["text"])
    data = output.get("data")
    if not isinstance(data, dict):
        return ""
    if "text/plain" in data:
        pictures = [kind for kind in data if str(kind).startswith("image/")]
        return "\n".join([*(f"({kind})" for kind in pictures), _text(data["text/plain"])])
    return ", ".join(f"({kind})" for kind in data)


def _broken(path: str, why: str) -> ToolError:
    return ToolError(
        f"'{path}' can not be used as a notebook: {why}.", kind="bad_content", target=path
    )
