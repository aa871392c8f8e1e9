"""The apps behind the front door, by path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from nanobot.context import Extension
from nanobot.log import Logger

from nanobot_service_http.specs import WebSpec

_PATH = re.compile(r"(?:/(?!\.\.?(?:/|\Z))[A-Za-z0-9._~-]+)+|/")
OWN = ("/health", "/metrics")


@dataclass(frozen=True, kw_only=True, slots=True)
class Mount:
    """One app.

    Args:
        prefix: Its path without a slash at the end; empty for what takes the rest.
        methods: What it takes, HEAD included.
    """

    prefix: str
    spec: WebSpec
    extension: Extension
    methods: tuple[str, ...]


class Mounts:
    """All apps; those that can not be mounted are left out, and the log says why."""

    def __init__(self, extensions: Mapping[str, Extension], log: Logger) -> None:
        found: dict[str, Mount] = {}
        for name, extension in sorted(extensions.items()):
            spec = extension.spec
            if not isinstance(spec, WebSpec):
                problem = "its hook does not return a WebSpec"
            else:
                problem = _problem(spec.mount) or (
                    f"web.{found[spec.mount].spec.name} has this mount already"
                    if spec.mount in found
                    else ""
                )
            if problem or not isinstance(spec, WebSpec):
                log.error("web_app_left_out", app=f"web.{name}", reason=problem)
                continue
            head = {"HEAD"} if "GET" in spec.methods else set()
            found[spec.mount] = Mount(
                prefix=spec.mount.rstrip("/"),
                spec=spec,
                extension=extension,
                methods=tuple(sorted({*spec.methods, *head})),
            )
        self._longest_first = sorted(found.values(), key=lambda m: len(m.prefix), reverse=True)

    @property
    def websocket(self) -> bool:
        """Tell whether any app speaks WebSocket."""
        return any(mount.spec.websocket for mount in self._longest_first)

    @property
    def longest_body(self) -> int:
        """Return the longest body that an app asks for, 0 when none does."""
        return max((mount.spec.max_body_bytes for mount in self._longest_first), default=0)

    def find(self, path: str) -> Mount | None:
        """Return the app for a path."""
        for mount in self._longest_first:
            if path == mount.prefix or path.startswith(f"{mount.prefix}/"):
                return mount
        return None


def _problem(mount: str) -> str:
    if not _PATH.fullmatch(mount):
        return f"mount {mount!r} is not a path such as /notes"
    if f"/{mount.split('/')[1]}" in OWN:
        return f"mount {mount!r} belongs to the server itself"
    return ""
