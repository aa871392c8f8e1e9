"""Installed providers that are not there, for starting an instance with them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from nanobot import hookimpl
from nanobot.admin import Config, assemble, load, open_router
from nanobot.specs import ProviderSpec

from nanobot_testing.host import run


class Vendor:
    """What a fake provider plugin opens."""

    def __init__(self, name: str, config: Any, context: Any, models: Any) -> None:
        self.name = name
        self.config = config
        self.context = context
        self._models = models

    async def list_models(self) -> Any:
        if callable(self._models):
            return await self._models()
        return self._models

    def stream(self, request: Any) -> Any:
        raise AssertionError("nothing is asked while booting")


@dataclass(frozen=True)
class Listed:
    """A model in a vendor's list."""

    id: str


class Shop:
    """Installs provider plugins and boots with a configuration."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.opened: list[Vendor] = []
        self.environ: dict[str, str] = {}
        self.config: dict[str, Any] = {"agents": {"defaults": {"workspace": str(folder / "work")}}}
        self.models: Any = None
        self._patch = monkeypatch
        self._ids: list[str] = []

    @property
    def defaults(self) -> dict[str, Any]:
        """Return the section agents.defaults, to be changed."""
        return self.config["agents"]["defaults"]  # type: ignore[no-any-return]

    def sell(self, name: str, *, models: Any = (), hooks: Any = None, **spec: Any) -> None:
        """Install a provider."""
        module = ModuleType(f"nanobot_provider_{name}")

        @asynccontextmanager
        async def open_provider(config: Any, context: Any) -> Any:
            vendor = Vendor(
                name, config, context, [Listed(m) for m in models] if _texts(models) else models
            )
            self.opened.append(vendor)
            yield vendor

        made = ProviderSpec(name=name, factory=f"{module.__name__}:open_provider", **spec)
        self.implement(module, "nanobot_providers", lambda: [made])
        for hook, function in (hooks or {}).items():
            self.implement(module, hook, function)
        module.open_provider = open_provider  # type: ignore[attr-defined]
        self._patch.setitem(sys.modules, module.__name__, module)
        self.install(f"providers.{name}", module.__name__)

    @staticmethod
    def implement(module: ModuleType, hook: str, function: Any) -> None:
        function.__name__ = hook
        setattr(module, hook, hookimpl(function))

    def install(self, id: str, value: str) -> None:
        """Write the metadata of a plugin."""
        kind, _, name = id.partition(".")
        slug = f"nanobot-{kind[:-1]}-{name.replace('_', '-')}"
        site = self.folder / "site"
        info = site / f"{slug.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {slug}\nVersion: 1.0\n\n")
        (info / "entry_points.txt").write_text(f"[nanobot.v1.{kind}]\n{name} = {value}\n")
        if str(site) not in sys.path:
            self._patch.syspath_prepend(str(site))
        self._ids.append(id)

    def load(self) -> Config:
        """Write the configuration and load it."""
        path = self.folder / "data" / "config.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(self.config))
        path.chmod(0o600)
        return load(path, environ=self.env)

    @property
    def env(self) -> Mapping[str, str]:
        return {"NANOBOT_PLUGINS": ",".join(self._ids) or "none", **self.environ}

    def presets(self, **options: Any) -> Any:
        """Return what to ask, by preset; `models` is what decided it."""

        async def go() -> Any:
            config = self.load()
            parts = assemble(config, config.instance(), self.env)
            self.host = parts.host
            try:
                self.models = await open_router(parts)
                return await self.models.presets(**options)
            finally:
                await parts.registry.aclose()

        return run(go())

    def chosen(self, **options: Any) -> Any:
        """Return the first model that is asked by default."""
        return self.presets(**options)[""][0]

    def state(self, id: str) -> str:
        (found,) = [s.state for s in self.host.statuses() if s.entry.id == id]
        return str(found)


def _texts(models: Any) -> bool:
    return not callable(models) and all(isinstance(model, str) for model in models)
