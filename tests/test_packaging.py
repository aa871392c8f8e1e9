"""What every distribution must have, so that users can rely on all of them alike."""

from __future__ import annotations

import ast
import importlib.metadata
import re
from pathlib import Path
from typing import Any

import nanobot
from nanobot._names import STANDARD_PARTS

HEADINGS = ("## Install", "## Configuration", "## Permissions", "## Limits", "## Removal")
TIERS = ("bronze", "silver", "gold")
LIBRARIES = {
    *("nanobot-documents", "nanobot-egress", "nanobot-oauth", "nanobot-provider-compat"),
    *("nanobot-security", "nanobot-settings", "nanobot-testing", "nanobot-vendor-http"),
}
SETS = {"nanobot-cli-admin", "nanobot-command-core", "nanobot-gateway", "nanobot-prompt-core"}
SETS |= {"nanobot-speech", "nanobot-tool-workspace", "nanobot-usage"}
"""What comes with the core or runs it: several plugins of a kind in one distribution."""
SINGULAR = {"commands": "command", "observers": "observer", "prompts": "prompt"}
SINGULAR |= {"engines": "engine", "providers": "provider", "routers": "router", "tools": "tool"}
SINGULAR |= {"channels": "channel", "services": "service", "stores": "store", "web": "web"}
SINGULAR |= {"images": "image", "sandboxes": "sandbox", "documents": "reader"}


def entry_points(distribution: Any) -> dict[str, dict[str, str]]:
    groups = distribution.project.get("entry-points", {})
    return {group: names for group, names in groups.items() if group.startswith("nanobot.v")}


def config_models(distribution: Any) -> list[tuple[Path, ast.ClassDef]]:
    found = []
    for path in distribution.source.rglob("config.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                found.append((path, node))
    return found


def is_bundle(distribution: Any) -> bool:
    return str(distribution.name).startswith("nanobot-bundle-")


def test_core_version_is_the_code_version(core: Any) -> None:
    assert core.project["version"] == nanobot.__version__


def test_the_standard_parts_are_the_plugins_that_the_core_depends_on(
    core: Any, plugins: list[Any]
) -> None:
    parts = {plugin.name for plugin in plugins if entry_points(plugin)}
    assert set(STANDARD_PARTS) == core.depends & parts


def test_changelog_begins_with_the_version(distribution: Any) -> None:
    text = (distribution.folder / "CHANGELOG.md").read_text()
    first = re.search(r"^## (\S+)", text, re.MULTILINE)
    assert first and first[1] == distribution.project["version"]


def test_metadata(distribution: Any) -> None:
    project = distribution.project
    assert project["license"] == "MIT"
    assert project["requires-python"] == ">=3.11"
    assert project["readme"] == "README.md"
    assert len(project["description"]) > 20
    for requirement in project.get("dependencies", []):
        assert "==" not in requirement, f"{requirement}: an exact pin breaks other plugins"


def test_plugins_depend_on_a_range_of_the_core(plugin: Any) -> None:
    if plugin.below_core:
        return
    ranges = [r for r in plugin.project["dependencies"] if r.startswith("nanobot-core")]
    assert ranges == ["nanobot-core>=0.1,<0.2"]


def test_tier_is_claimed(plugin: Any) -> None:
    assert plugin.tool["nanobot"]["tier"] in TIERS


def test_readme(plugin: Any) -> None:
    text = (plugin.folder / "README.md").read_text()
    assert text.startswith(f"# {plugin.name}\n")
    missing = [heading for heading in HEADINGS if heading not in text]
    assert not missing
    assert f"pip install {plugin.name}" in text


def test_names_agree(plugin: Any) -> None:
    for group, names in entry_points(plugin).items():
        kind = group.rsplit(".", 1)[1]
        for name, value in names.items():
            slug = name.replace("_", "-")
            if kind in ("kinds", "cli") and not plugin.name.startswith("nanobot-cli-"):
                # Any plugin may open kinds and bring a command; the entry carries its own name.
                assert plugin.name.endswith(f"-{slug}") or plugin.name in SETS
            elif plugin.name not in SETS:  # a vendor's plans share its distribution and its name
                own = plugin.name.removeprefix(f"nanobot-{SINGULAR.get(kind, kind)}-")
                assert own != plugin.name and (slug == own or slug.startswith(f"{own}-"))
            assert value.split(".")[0].split(":")[0] == plugin.package
    assert entry_points(plugin) or plugin.name in LIBRARIES or is_bundle(plugin)


def test_files(plugin: Any) -> None:
    if is_bundle(plugin):
        return
    assert (plugin.source / "py.typed").exists()
    tree = ast.parse((plugin.source / "__init__.py").read_text())
    if plugin.name not in LIBRARIES:
        assert len(tree.body) == 1 and ast.get_docstring(tree), "__init__.py: one docstring"
    assert sorted((plugin.folder / "tests").rglob("test_*.py"))


def test_contract_test_is_present(plugin: Any) -> None:
    kinds = {group.rsplit(".", 1)[1] for group in entry_points(plugin)}
    held = {"tools", "providers", "commands", "prompts", "middleware", "channels", "stores"}
    if not kinds & held:
        return
    text = (plugin.folder / "tests" / "test_contract.py").read_text()
    assert re.search(r"class Test\w+\(\w*Contract\)", text)


def test_every_config_field_is_described_in_code_and_readme(plugin: Any) -> None:
    readme = (plugin.folder / "README.md").read_text()
    for path, model in config_models(plugin):
        for node in model.body:
            if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
                continue
            name = node.target.id
            assert node.value and "description" in ast.unparse(node.value), f"{path}: {name}"
            first, *rest = name.split("_")
            camel = first + "".join(part.capitalize() for part in rest)
            assert f"`{camel}`" in readme, f"{plugin.name}: README does not name {camel}"


def test_installed_metadata_is_current(distribution: Any) -> None:
    """An entry point that was added must not be missing in the environment that tests it."""
    installed = importlib.metadata.distribution(distribution.name)
    have = {(ep.group, ep.name) for ep in installed.entry_points}
    for group, names in entry_points(distribution).items():
        assert {(group, name) for name in names} <= have
