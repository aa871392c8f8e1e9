"""What is true of every plugin, whatever its kind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from nanobot.config import PluginConfig
from nanobot.specs import Spec

from nanobot_testing.host import find_entry_point, load_spec

_FOREIGN = """
import importlib, json, sys
import nanobot.hookspecs, nanobot.log
before = set(sys.modules)
importlib.import_module(sys.argv[1])
own = sys.argv[1].split(".")[0]
loaded = {name.split(".")[0] for name in set(sys.modules) - before}
foreign = loaded - set(sys.stdlib_module_names) - {own}
print(json.dumps(sorted(name for name in foreign if name.split("_")[0] != "nanobot")))
"""


class PluginContract:
    """Promises of every plugin. Subclass the contract of your kind, not this one.

    Attributes:
        plugin: The id, ``<kind>.<name>``.
        config: A section of the configuration that is valid for it.
    """

    plugin: ClassVar[str] = ""
    config: ClassVar[Mapping[str, object]] = {}

    @pytest.fixture
    def spec(self) -> Any:
        return load_spec(self.plugin)

    def test_names_agree(self, spec: Spec) -> None:
        entry = find_entry_point(self.plugin)
        assert spec.name == entry.name, "the spec's name must equal the entry point's name"
        package = entry.module.split(".")[0]
        distribution = entry.dist.name if entry.dist else ""
        assert distribution.replace("-", "_").lower() == package

    def test_registering_imports_nothing_foreign(self) -> None:
        module = find_entry_point(self.plugin).module
        done = subprocess.run(
            [sys.executable, "-c", _FOREIGN, module], capture_output=True, text=True, check=True
        )
        assert json.loads(done.stdout) == [], f"{module} imports more than nanobot and the stdlib"

    def test_registering_twice_gives_equal_specs(self, spec: Spec) -> None:
        assert load_spec(self.plugin) == spec

    def test_configuration_is_described_and_strict(self, spec: Spec) -> None:
        assert issubclass(spec.config, PluginConfig)
        for name, field in spec.config.model_fields.items():
            assert field.description, f"configuration field {name} has no description"
        spec.config.model_validate(dict(self.config))
        with pytest.raises(ValueError):
            spec.config.model_validate({**self.config, "noSuchKeyAtAll": 1})
