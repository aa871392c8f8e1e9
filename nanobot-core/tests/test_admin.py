"""The control surface: every name is there, and importing it costs nothing."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from nanobot import admin

NAMES = " ".join(admin._HOMES.values()).split()
_LOADED = "import nanobot.admin, sys, json; print(json.dumps(sorted(sys.modules)))"


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_imported_when_it_is_used(name: str) -> None:
    assert getattr(admin, name) is not None


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(admin.__file__).read_text())
    seen = {
        (node.module, alias.asname)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("nanobot.")
        for alias in node.names
    }
    homes = admin._HOMES.items()
    assert seen == {(f"nanobot.{home}", n) for home, names in homes for n in names.split()}


def test_importing_it_imports_nothing_else() -> None:
    done = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, check=True)
    loaded = [name for name in json.loads(done.stdout) if name.split(".")[0] == "nanobot"]
    assert loaded == ["nanobot", "nanobot.admin"]


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = admin.nothing
