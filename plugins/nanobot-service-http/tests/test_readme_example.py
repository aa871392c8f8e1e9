"""The plugin in the README, as it stands there."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pluggy
import pytest
from nanobot.context import Extension, PluginContext
from nanobot_service_http.kinds import nanobot_kinds
from nanobot_service_http.specs import WebSpec
from nanobot_testing import run

README = (Path(__file__).parent.parent / "README.md").read_text()
FILES = dict(re.findall(r"`([\w/.]+)`\n\n```(?:python|toml)\n(.*?)```", README, re.DOTALL))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, text in FILES.items():
        path = tmp_path / "notes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path / "notes" / "src"))
    yield "nanobot_web_notes"
    for name in [name for name in sys.modules if name.startswith("nanobot_web_notes")]:
        del sys.modules[name]


def test_its_hook_is_collected(package: str) -> None:
    (kind,) = nanobot_kinds()
    manager = pluggy.PluginManager("nanobot")
    manager.add_hookspecs(kind.hookspecs)
    entry = tomllib.loads(FILES["pyproject.toml"])["project"]["entry-points"]
    manager.register(import_module(entry[f"nanobot.v1.{kind.name}"]["notes"]))
    manager.check_pending()
    ((spec,),) = [list(specs) for specs in manager.hook.nanobot_web()]
    assert type(spec) is kind.spec is WebSpec
    assert set(entry[f"nanobot.v1.{kind.name}"]) == {spec.name}


def test_it_serves(package: str, serve: Any, make_context: Any) -> None:
    (spec,) = import_module(f"{package}.plugin").nanobot_web()
    module, _, factory = spec.factory.partition(":")
    context: PluginContext = make_context()

    async def go() -> None:
        opened = getattr(import_module(module), factory)(spec.config(), context)
        async with opened as web:
            notes = spec.name, Extension(spec=spec, open=lambda: Opened(web))
            async with serve(notes) as served:
                async with served.client() as client:
                    assert (await client.get("/notes/")).status_code == 401
                async with served.known() as client:
                    assert (await client.post("/notes/", json="milk")).status_code == 201
                    assert (await client.get("/notes/")).json() == {"notes": ["milk"]}
                    assert (await client.post("/notes/", json=1)).status_code == 400
                    assert (await client.get("/notes/x")).status_code == 404

    run(go())


class Opened:
    """The one object of the plugin, as the registry gives it for each request."""

    def __init__(self, web: Any) -> None:
        self._web = web

    async def __aenter__(self) -> Any:
        return self._web

    async def __aexit__(self, *raised: object) -> None:
        return None


def test_every_field_of_the_spec_is_in_the_readme() -> None:
    own = set(WebSpec.__annotations__)
    assert own == set(re.findall(r"^\| `(\w+)` \|", README.split("What a `WebSpec` says")[1], re.M))
