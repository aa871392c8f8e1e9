"""Sizes that keep the code readable. Nothing is excluded."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CORE_FILE_LINES = 300
CORE_FUNCTION_LINES = 60
CORE_LINES = 5000
PLUGIN_FILE_LINES = 600
CONSTRUCTOR_PARAMETERS = 7
BANNED_NAMES = {"utils.py", "helpers.py", "manager.py"}


def lines_of(path: Path) -> int:
    return len(path.read_text().splitlines())


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def files(distribution: Any) -> list[Path]:
    return sorted((distribution.folder / "src").rglob("*.py"))


def test_files(distribution: Any) -> None:
    most = CORE_FILE_LINES if distribution.name == "nanobot-core" else PLUGIN_FILE_LINES
    long = {str(path): lines_of(path) for path in files(distribution) if lines_of(path) > most}
    assert not long


def test_core_as_a_whole(core: Any) -> None:
    total = sum(lines_of(path) for path in files(core))
    assert total <= CORE_LINES, f"{total} lines: move a feature into a plugin"


def test_functions_of_the_core(core: Any) -> None:
    long = {
        f"{path}:{function.name}": (function.end_lineno or 0) - function.lineno + 1
        for path in files(core)
        for function in functions(path)
        if (function.end_lineno or 0) - function.lineno + 1 > CORE_FUNCTION_LINES
    }
    assert not long


def test_constructors(distribution: Any) -> None:
    for path in files(distribution):
        for function in functions(path):
            if function.name == "__init__":
                given = function.args
                count = len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs) - 1
                assert count <= CONSTRUCTOR_PARAMETERS, f"{path}:{function.lineno}"


def test_file_names(distribution: Any) -> None:
    assert not [path for path in files(distribution) if path.name in BANNED_NAMES]


@pytest.mark.parametrize("text", ["TODO", "FIXME", "NotImplementedError"])
def test_nothing_is_left_for_later(distribution: Any, text: str) -> None:
    assert not [str(path) for path in files(distribution) if text in path.read_text()]
