"""The contract of tool plugins, for tools in the workspace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nanobot_testing.desk import DeskToolContract


class TestWorkspace(DeskToolContract):
    plugin = "tools.workspace"
    config: ClassVar[Mapping[str, object]] = {"trust": True}
