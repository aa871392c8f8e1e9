"""Who may import what: the core no plugin, a plugin only public names and what it declares."""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OWNED_BY_CORE = {"click", "packaging", "pluggy", "pydantic", "pydantic_core", "structlog"}
SHARED = {"httpx", "httpx2"}
"""What several may use, each declaring it: the one HTTP client of all, and its successor, in which
some SDKs take theirs."""
IMPORT_NAMES = {
    "azure": "azure-identity",
    "lark_oapi": "lark-oapi",
    "markdown_it": "markdown-it-py",
    "docx": "python-docx",
    "pptx": "python-pptx",
    "prompt_toolkit": "prompt-toolkit",
    "google": "google-re2",
    "pydantic_core": "pydantic",
    "re2": "google-re2",
    "telegram": "python-telegram-bot",
}


def imports(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield every module that the files of a folder import, wherever in the file."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(), str(path))):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield path, alias.name
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"
                assert node.module
                yield path, node.module
                for alias in node.names:
                    yield path, f"{node.module}.{alias.name}"


def test_the_core_imports_only_libraries_below_it_that_it_declares(
    core: Any, plugins: list[Any]
) -> None:
    """What is below has no entry point of nanobot and depends on nothing that needs the core."""
    allowed = {one.package for one in plugins if one.below_core and one.name in core.depends}
    found = {name.split(".")[0] for _, name in imports(core.source)}
    assert {name for name in found if name.startswith("nanobot_")} <= allowed


def test_only_documents_and_settings_are_below_the_core(core: Any, plugins: list[Any]) -> None:
    below = {one.name for one in plugins if one.below_core}
    assert below == {"nanobot-documents", "nanobot-settings"}
    assert not core.below_core


def test_libraries_below_the_core_import_only_each_other(plugin: Any) -> None:
    if not plugin.below_core:
        return
    tops = {name.split(".")[0] for _, name in imports(plugin.folder / "src")}
    declared = {name.replace("-", "_") for name in plugin.depends}
    assert {top for top in tops if top.startswith("nanobot")} <= {plugin.package, *declared}


def test_plugins_import_only_public_names(plugin: Any) -> None:
    private = [
        (path.name, name)
        for path, name in imports(plugin.folder / "src")
        if name.split(".")[0] == "nanobot"
        and any(part[0] == "_" and part[:2] != "__" for part in name.split(".")[1:])
    ]
    assert not private


def test_plugins_import_each_other_only_when_declared(plugin: Any) -> None:
    for path, name in imports(plugin.folder / "src"):
        top = name.split(".")[0]
        if top.startswith("nanobot_") and top != plugin.package:
            declared = top.replace("_", "-") in plugin.depends
            assert declared, f"{path} imports {top} without depending on it"


def test_plugins_import_only_libraries_that_they_declare(plugin: Any) -> None:
    for path, name in imports(plugin.folder / "src"):
        top = name.split(".")[0]
        if top in sys.stdlib_module_names or top.startswith("nanobot"):
            continue
        if top in OWNED_BY_CORE and "nanobot-core" in plugin.depends:
            continue
        assert IMPORT_NAMES.get(top, top) in plugin.depends, f"{path} imports {top} undeclared"


def test_every_library_has_one_owner(plugins: list[Any]) -> None:
    owners = defaultdict(set)
    for plugin in plugins:
        for _, name in imports(plugin.folder / "src"):
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names and not top.startswith("nanobot"):
                owners[top].add(plugin.name)
    shared = {
        library: names
        for library, names in owners.items()
        if len(names) > 1 and library not in OWNED_BY_CORE | SHARED
    }
    assert not shared


def test_registering_modules_import_nothing_foreign(plugin: Any) -> None:
    """A plugin.py may import public names of nanobot, its own data modules and the stdlib.

    One that plugs into another plugin may import that host's records too: modules named `specs`
    and `config`, which are held to the same rule.
    """
    path = plugin.source / "plugin.py"
    if not path.exists():
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = (
                [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            )
            for name in names:
                top = str(name).split(".")[0]
                allowed = top in sys.stdlib_module_names or top in ("nanobot", plugin.package)
                of_a_host = top.replace("_", "-") in plugin.depends
                records = str(name).rpartition(".")[2] in ("specs", "config")
                assert allowed or (of_a_host and records), f"{path} imports {name}"
