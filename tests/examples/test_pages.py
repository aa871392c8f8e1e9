"""The projects that the documentation shows in full: they install, pass their tests, and work."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGES = Path(__file__).parent.parent.parent / "docs" / "plugins"
FILE = re.compile(r"(?ms)^`(?P<path>[\w.-]+(?:/[\w.-]+)+)`\n\n```\w+\n(?P<text>.*?)^```$")


def write(page: str, folder: Path) -> list[Path]:
    """Write the files that a page shows under their names; return the projects among them."""
    for found in FILE.finditer((PAGES / page).read_text()):
        path = folder / found["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found["text"])
    return sorted(path.parent for path in folder.rglob("pyproject.toml"))


@pytest.mark.parametrize(
    ("page", "plugins"),
    [
        ("kinds.md", {"tools.translate", "translation.shout"}),
        ("providers.md", {"providers.acme", "providers.echo"}),
    ],
)
def test_projects_of_a_page_work(
    environment: Any, build: Any, tmp_path: Path, page: str, plugins: set[str]
) -> None:
    before = set(environment.plugins())
    projects = write(page, tmp_path / "shown")
    environment.install(*map(build, projects))
    assert set(environment.plugins()) - before == plugins
    tested = [project for project in projects if (project / "tests").exists()]
    assert tested
    for project in tested:
        assert "passed" in environment.test(project)
    done = environment.run("nanobot", "plugins", "check")
    assert done.returncode == 0, done.stdout


def test_an_extension_point_is_used_in_a_turn(environment: Any, build: Any, tmp_path: Path) -> None:
    owner, engine = map(build, write("kinds.md", tmp_path / "shown"))
    call = {"tool": "translate", "arguments": {"text": "hello", "language": "German"}}
    section = {"translation": {"shout": {"marks": 3}}}
    environment.install(owner)
    alone = environment.turn(call, {"text": "Done."})
    assert "pip install nanobot-translation-NAME" in alone["results"][0]
    environment.install(engine)
    answer = environment.turn(call, {"text": "Done."}, config=section)
    assert answer["results"][-1] == "HELLO!!!"


def test_the_tests_of_the_testing_page_pass(environment: Any, tmp_path: Path) -> None:
    write("testing.md", tmp_path / "shown")
    assert "2 passed" in environment.test(tmp_path / "shown")


@pytest.mark.parametrize("kind", ["tool", "provider", "command", "prompt", "middleware"])
def test_a_new_plugin_is_green_at_once(
    environment: Any, build: Any, tmp_path: Path, kind: str
) -> None:
    name = "weather"
    done = environment.run("nanobot", "plugins", "new", kind, name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = tmp_path / f"nanobot-{kind}-{name}"
    environment.install(build(made))
    assert "passed" in environment.test(made)
    plural = kind if kind == "middleware" else f"{kind}s"
    assert environment.plugins()[f"{plural}.{name}"]["state"] == "enabled"
    done = environment.run("nanobot", "plugins", "check", f"{plural}.{name}")
    assert done.returncode == 0, done.stdout
