"""The SDK's client for the long connection, without what else the SDK brings along.

``import lark_oapi`` reads a class for every request of every API of the platform: ten thousand
modules, 140 MB and four seconds, during which nothing else runs. The long connection needs none
of them; without, it is 17 MB and 0.2 seconds.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_DISPATCHER = "lark_oapi.event.dispatcher_handler"


class _RunningLoop:
    """Stands in for the loop that the SDK's module takes when it is imported.

    The connection then lives in whichever loop uses it.
    """

    @staticmethod
    def create_task(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(work)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sdk:
    """What is used of the SDK.

    Args:
        client: Its module ``lark_oapi.ws.client``.
        cipher: Its class ``AESCipher``, for encrypted events.
    """

    client: Any
    cipher: Any


def load() -> Sdk:
    """Import what is used of the SDK."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:  # the module asks for a loop; without a running one it would leave its own
        return asyncio.run(_load())
    return _import()


async def _load() -> Sdk:
    return _import()


def _import() -> Sdk:
    try:
        sdk = _import_alone()
    except ImportError:  # another release is built otherwise: take all of it
        sdk = _import_below()
    sdk.client.loop = _RunningLoop()
    return sdk


def _import_below() -> Sdk:
    return Sdk(
        client=importlib.import_module("lark_oapi.ws.client"),
        cipher=importlib.import_module("lark_oapi.core.utils.decryptor").AESCipher,
    )


def _import_alone() -> Sdk:
    """Import with empty modules in the places of the package and of its dispatcher of events.

    Both are taken away again, with all that was imported below them, so that whoever else imports
    the SDK gets the whole of it.
    """
    spec = find_spec("lark_oapi")
    if "lark_oapi" in sys.modules or spec is None or not spec.submodule_search_locations:
        return _import_below()
    package, dispatcher = ModuleType("lark_oapi"), ModuleType(_DISPATCHER)
    package.__dict__["__path__"] = list(spec.submodule_search_locations)
    dispatcher.__dict__["EventDispatcherHandler"] = object
    sys.modules["lark_oapi"], sys.modules[_DISPATCHER] = package, dispatcher
    try:
        sdk = _import_below()
        _warm_up(sdk.client.Frame)
        return sdk
    finally:
        for name in [n for n in sys.modules if n.partition(".")[0] == "lark_oapi"]:
            del sys.modules[name]


def _warm_up(frame: Any) -> None:
    """Write and read a frame, so that what is imported on first use is imported now."""
    one = frame(SeqID=1, LogID=1, service=1, method=1, payload=b"1")
    header = one.headers.add()
    header.key = header.value = "1"
    frame().ParseFromString(one.SerializeToString())
