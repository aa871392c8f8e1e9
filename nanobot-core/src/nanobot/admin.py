"""The control surface: for command lines and pages that inspect and change an instance.

Importing it imports nothing else: a name is imported when it is first used. It grows with the
core's minor versions; what a turn uses stays in `nanobot`'s other public modules.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# fmt: off
# ruff: isort: off
if TYPE_CHECKING:
    from nanobot._boot.boot import Parts as Parts, assemble as assemble, open_router as open_router
    from nanobot._boot.boot import Opened as Opened, open_instance as open_instance
    from nanobot._boot.boot import RouterContext as RouterContext
    from nanobot._boot.desk import HostDesk as HostDesk
    from nanobot._boot.sections import Sections as Sections
    from nanobot._config.config import Config as Config, ConfigRefused as ConfigRefused
    from nanobot._config.config import build as build, load as load, section_path as section_path
    from nanobot._config.document import Document as Document, read_document as read_document
    from nanobot._config.document import save_document as save_document
    from nanobot._config.schema import CoreSettings as CoreSettings, Defaults as Defaults
    from nanobot._config.schema import Fallback as Fallback, Preset as Preset
    from nanobot._names import distribution as distribution, group as group
    from nanobot._names import install_hint as install_hint
    from nanobot._plugins.catalog import Catalog as Catalog, Entry as Entry, scan as scan
    from nanobot._plugins.catalog import incompatibility as incompatibility
    from nanobot._plugins.host import Host as Host, Plugin as Plugin
    from nanobot._plugins.registry import Registry as Registry
    from nanobot._plugins.view import View as View
    from nanobot._plugins.status import Policy as Policy, State as State, Status as Status
    from nanobot._plugins.status import Verdicts as Verdicts, judge as judge, policy as policy
# fmt: on

_HOMES = {
    "_boot.boot": "Opened Parts RouterContext assemble open_instance open_router",
    "_boot.desk": "HostDesk",
    "_boot.sections": "Sections",
    "_config.config": "Config ConfigRefused build load section_path",
    "_config.document": "Document read_document save_document",
    "_config.schema": "CoreSettings Defaults Fallback Preset",
    "_names": "distribution group install_hint",
    "_plugins.catalog": "Catalog Entry incompatibility scan",
    "_plugins.host": "Host Plugin",
    "_plugins.registry": "Registry",
    "_plugins.view": "View",
    "_plugins.status": "Policy State Status Verdicts judge policy",
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names.split():
            return getattr(import_module(f"nanobot.{home}"), name)
    raise AttributeError(f"module 'nanobot.admin' has no attribute {name!r}")
